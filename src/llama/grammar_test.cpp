#include "llama/grammar.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <llama.h>

#include <chrono>
#include <random>

#include "base/error.hpp"
#include "llama/guard.hpp"
#include "support/tiny_chat_model.hpp"

using namespace jikji;
using namespace jikji::llama;

namespace {

bool whole(const Grammar& grammar, std::string_view text) {
    return grammar.complete(grammar.next(grammar.start(), text));
}
bool begins(const Grammar& grammar, std::string_view text) {
    return grammar.next(grammar.start(), text) != Grammar::kDead;
}

ErrorCode refusal(const Model& model, const std::string& gbnf, std::string* message = nullptr) {
    try {
        model.grammar(gbnf);
    } catch (const Error& error) {
        CHECK(error.field() == "grammar");
        if (message != nullptr) *message = error.what();
        return error.code();
    }
    return ErrorCode::kInternal;
}

const char* const kJson = R"(root ::= object
value ::= object | array | string | number | "true" | "false" | "null"
object ::= "{" ws ( string ":" ws value ("," ws string ":" ws value)* )? "}" ws
array ::= "[" ws ( value ("," ws value)* )? "]" ws
string ::= "\"" ( [^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}) )* "\"" ws
number ::= ("-"? ([0-9] | [1-9] [0-9]{0,15})) ("." [0-9]+)? ([eE] [-+]? [0-9] [1-9]{0,15})? ws
ws ::= | " " | "\n" [ \t]{0,20}
)";

}  // namespace

TEST_SUITE_BEGIN("grammar");

TEST_CASE("texts that a grammar takes, and those that it does not") {
    const tests::TinyModel model;
    const auto grammar = model->grammar("root ::= \"a\" [b-d]{2,3} (\"x\" | \"yz\")* \"!\"?");
    for (const char* good : {"abb", "abcd", "abcx", "accyz", "addxyzx!", "abb!"}) {
        CHECK_MESSAGE(whole(*grammar, good), good);
    }
    for (const char* bad : {"b", "ab!", "abbbb", "abby!", "abb!!"}) {
        CHECK_MESSAGE(!begins(*grammar, bad), bad);
    }
    CHECK(begins(*grammar, "ab"));
    CHECK(!whole(*grammar, "ab"));
    CHECK(whole(*model->grammar(kJson), R"({"a": [1, -2.5e3, {"b": "\u00e9 한"}], "c": null})"));
    CHECK(!begins(*model->grammar(kJson), "{\"a\": \"\x01"));
}

TEST_CASE("characters beyond ASCII: ranges, inverted sets, and no half of one") {
    const tests::TinyModel model;
    const auto hangul = model->grammar("root ::= [가-힣]+");
    CHECK(whole(*hangul, "모른다"));
    CHECK(!begins(*hangul, "모x"));
    CHECK(!begins(*hangul, "\xed\x9e\xa4"));  // U+D7A4, the first behind 힣
    const auto other = model->grammar("root ::= [^é\"] .");
    CHECK(whole(*other, "è𝄞"));
    CHECK(whole(*other, "\x7f€"));
    CHECK(!begins(*other, "é"));
    CHECK(!begins(*other, "\xc3\xa9"));
    CHECK(!begins(*other, "\xed\xa0\x80"));  // a surrogate
    CHECK(!begins(*other, "\xc0\xaf"));      // an overlong /
}

TEST_CASE("what must follow is known, up to the first choice") {
    const tests::TinyModel model;
    const auto grammar = model->grammar("root ::= \"{\\\"name\\\": \\\"\" [a-z]+ \"\\\"}\"");
    CHECK(grammar->forced(grammar->start()) == "{\"name\": \"");
    const auto inside = grammar->next(grammar->start(), "{\"name\": \"ab");
    CHECK(grammar->forced(inside).empty());
    const auto closed = grammar->next(inside, "\"");
    CHECK(grammar->forced(closed) == "}");
    CHECK(!grammar->finished(closed));
    CHECK(grammar->finished(grammar->next(closed, "}")));
}

// llama.cpp's own walk of the same grammars is the oracle.
TEST_CASE("allows the tokens that llama.cpp allows, at every step of random texts") {
    const tests::TinyModel model;
    const llama_vocab* vocab = llama_model_get_vocab(model->handle());
    std::mt19937 random(5);
    for (const std::string& gbnf :
         {std::string(kJson), std::string("root ::= ([a-c] root [d] | \"x\"+ | \"\") \"é\"?"),
          std::string("root ::= (\"a\" | \"ab\" | \"abc\")+ [^a-z] [가-힣]{1,3} .")}) {
        const auto grammar = model->grammar(gbnf);
        for (int round = 0; round < 20; ++round) {
            llama_sampler* oracle = llama_sampler_init_grammar(vocab, gbnf.c_str(), "root");
            REQUIRE(oracle != nullptr);
            Grammar::State state = grammar->start();
            int inside = 0;  // bytes that the last character lacks
            for (int step = 0; step < 40; ++step) {
                std::vector<llama_token_data> data;
                for (Token t = 0; t < 256; ++t) data.push_back({t, 0.0F, 0.0F});
                llama_token_data_array array{data.data(), data.size(), -1, false};
                llama_sampler_apply(oracle, &array);
                const auto mask = grammar->allowed(state);
                std::vector<Token> possible;
                for (Token t = 0; t < 256; ++t) {
                    const bool ours = ((*mask)[static_cast<std::size_t>(t) / 64] >> (t % 64)) & 1;
                    const bool theirs = std::isfinite(data[static_cast<std::size_t>(t)].logit);
                    const std::string bytes = model->piece(t);
                    // It lets surrogates pass, and what breaks a character off; it bars NUL.
                    const auto lead = static_cast<unsigned char>(bytes[0]);
                    if (lead == 0) continue;
                    if (lead < 0x80 && !inside)
                        CHECK_MESSAGE(ours == theirs, gbnf << " token " << t);
                    if (ours) CHECK_MESSAGE(theirs, gbnf << " token " << t);
                    if (ours) possible.push_back(t);
                }
                if (possible.empty()) break;
                const Token next = possible[random() % possible.size()];
                llama_sampler_accept(oracle, next);
                const auto byte = static_cast<unsigned char>(model->piece(next)[0]);
                inside = byte >= 0xC0 ? (byte >= 0xF0   ? 3
                                         : byte >= 0xE0 ? 2
                                                        : 1)
                                      : std::max(0, inside - 1);
                state = grammar->next(state, next, model->piece(next));
                REQUIRE(state != Grammar::kDead);
            }
            llama_sampler_free(oracle);
        }
    }
}

TEST_CASE("tokens that a grammar calls by number or by text") {
    const tests::TinyModel model;
    const auto grammar = model->grammar("root ::= <|im_start|> \"a\" !<[98]> <[256]>?");
    const Token start = model->token_of("<|im_start|>");
    REQUIRE(start == 257);
    CHECK(grammar->next(grammar->start(), "<") == Grammar::kDead);
    auto state = grammar->next(grammar->start(), start, "");
    state = grammar->next(state, "a");
    REQUIRE(state != Grammar::kDead);
    CHECK(grammar->next(state, 98, "x") == Grammar::kDead);
    CHECK(grammar->complete(grammar->next(state, 97, "x")));
    std::string message;
    CHECK(refusal(*model, "root ::= <|none|>", &message) == ErrorCode::kInvalidArgument);
    CHECK(message.find("<|none|>") != std::string::npos);
}

TEST_CASE("hostile grammars are refused at once, and say where") {
    const tests::TinyModel model;
    std::string deep = "root ::= ";
    for (int i = 0; i < 100'000; ++i) deep += '(';
    std::string chain = "root ::= r1\n";
    for (int i = 1; i < 10'000; ++i) {
        chain.append("r").append(std::to_string(i)).append(" ::= r");
        chain.append(std::to_string(i + 1)).append("?\n");
    }
    chain += "r10000 ::= root \"a\"\n";
    std::string optional = "root ::= ";
    for (int i = 0; i < 9000; ++i) optional += "[a-z]? ";
    const std::vector<std::pair<std::string, const char*>> cases = {
        {"root ::= root \"a\" | \"b\"", "left recursion"},
        {"root ::= a \"x\"\na ::= b?  c\nb ::= \"y\"\nc ::= root \"z\"", "left recursion"},
        {chain, "left recursion"},
        {"root ::= \"a\"{1000000}", "2000"},
        {"root ::= (((\"abc\"{2000} \"x\"){2000} [a-z]{0,2000}){2000}", ""},
        {"root ::= \"a\"{99999999999999999999}", "2000"},
        {"root ::= \"a\"{3,2}", "n is less than m"},
        {deep, "deeper than 200"},
        {std::string(300'000, ' '), "bytes"},
        {"root ::= [a-z]{0,2000} [a-z]{0,2000} [a-z]{0,2000} [a-z]{0,2000} [a-z]{0,2000}", nullptr},
        {optional, "too many ways"},
        {"root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"aa\" root | \"d\"", nullptr},
        {"", "no rule named root"},
        {"other ::= \"a\"", "no rule named root"},
        {"root ::= missing", "missing is not defined"},
        {"root ::= \"a\nroot ::= b", ""},
        {"root ::= [a-", ""},
        {"root ::= \"\\q\"", "escape"},
        {"root ::= \"\xff\"", "UTF-8"},
        {"root ::= *", "repetition"},
        {"root ::= \"a\"\nroot ::= \"b\"", "twice"},
        {"root ::= []", "no token"},
        {"root ::= \"a\" root", "ever ends"},
        {"root ::= \"a\" b | c\nb ::= \"b\" c\nc ::= \"c\" b", "ever ends"},
        {"root", "::="},
    };
    for (const auto& [gbnf, why] : cases) {
        const auto start = std::chrono::steady_clock::now();
        std::string message;
        const ErrorCode code = refusal(*model, gbnf, &message);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        INFO(gbnf.substr(0, 60) << " -> " << message);
        WARN(took.count() < 1.0);
        if (why == nullptr) continue;  // is harmless, or becomes so with this vocabulary
        CHECK(code == ErrorCode::kInvalidArgument);
        CHECK(message.find(why) != std::string::npos);
    }
}

TEST_CASE("a grammar that is ambiguous beyond all bounds ends in an error, not in the machine") {
    const tests::TinyModel model;
    const auto grammar = model->grammar("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"");
    CHECK_THROWS_AS(grammar->next(grammar->start(), std::string(40, 'a')), Error);
    CHECK(begins(*grammar, "aadbc"));  // and the next text is read as before
    const auto harmless = model->grammar("root ::= ((\"a\"*)*)* \"b\"");
    CHECK(whole(*harmless, std::string(1000, 'a') + "b"));
}

TEST_CASE("what a token takes is bounded, and counted also if it comes to nothing") {
    const tests::TinyModel model;
    const auto grammar = model->grammar("root ::= \"a\" root \"b\" | \"a\" root \"c\" | \"d\"");
    std::size_t work = 0;
    CHECK_THROWS_AS(grammar->next(grammar->start(), std::string(40, 'a'), &work), Error);
    CHECK(work > 10'000);
    CHECK(work <= kWalkWork + 10'000);
    work = 0;
    const auto some = grammar->next(grammar->start(), "aad", &work);
    grammar->allowed(some, &work);
    const std::size_t first = work;
    CHECK(grammar->next(grammar->start(), "aad", &work) == some);
    grammar->allowed(some, &work);
    CHECK(work == first);  // what is known takes none

    CHECK(model->grammar("root ::= <[123456789]> | \"a\"") != nullptr);  // no such token
}

TEST_CASE("an answer that is dear at every token ends in an error, a cheap one never") {
    const tests::TinyModel model;
    std::string dear = "root ::= \"-\" [0-9]{2000} | \"+\" ";
    for (int i = 0; i < 7000; ++i) dear += "[a-z]? ";
    Guard guard(*model, {.grammar = dear});
    guard.accept('+');
    int tokens = 0;
    const auto go_on = [&] {
        for (; tokens < 1000; ++tokens) guard.accept('a');
    };
    CHECK_THROWS_AS(go_on(), Error);
    CHECK(tokens > 5);
    CHECK(tokens < 200);
    Guard cheap(*model, {.grammar = dear});
    cheap.accept('-');
    for (int i = 0; i < 2000; ++i) {
        REQUIRE_NOTHROW(cheap.allowed());
        cheap.accept('7');
    }
    CHECK(cheap.finished());
}

TEST_CASE("grammars are compiled once") {
    const tests::TinyModel model;
    const auto first = model->grammar("root ::= \"a\"");
    CHECK(model->grammar("root ::= \"a\"") == first);
    CHECK(model->grammar("root ::= \"b\"") != first);
    for (int i = 0; i < 100; ++i) model->grammar(fmt::format("root ::= \"x{}\"", i));
    CHECK(model->grammar("root ::= \"a\"") != first);  // the least recently used has left
    CHECK(whole(*first, "a"));                         // who holds it keeps it
}

TEST_CASE("a text that nests without end fails alone; others in the same grammar go on") {
    const tests::TinyModel model;
    const std::string gbnf = "root ::= \"[\" root \"]\" | [a-z]{1,2000} \"!\"";
    Guard deep(*model, {.grammar = gbnf});
    Guard other(*model, {.grammar = gbnf});
    bool failed = false;
    for (int i = 0; i < 100'000 && !failed; ++i) {
        try {
            deep.accept('[');
        } catch (const Error& error) {
            CHECK(error.field() == "grammar");
            failed = true;
        }
        if (i % 100 != 0) continue;
        REQUIRE(other.allows('['));  // now and then, so that both walk the same one
        if (i < 10'000) other.accept('[');
    }
    CHECK(failed);
    for (int i = 0; i < 2000; ++i) REQUIRE_NOTHROW(other.accept('a'));
    CHECK(!other.allows('a'));
    other.accept('!');
    for (int i = 0; i < 100; ++i) other.accept(']');
    CHECK(other.finished());
}

TEST_CASE("a text may have more turns than a grammar keeps at a time") {
    const tests::TinyModel model;
    std::string gbnf = "root ::= (";
    for (char c = 'a'; c <= 'z'; ++c) gbnf += fmt::format("\"{}\" [0-9]{{1,2000}} | ", c);
    Guard guard(*model, {.grammar = gbnf + "\"-\")* \".\""});
    for (char c = 'a'; c <= 'z'; ++c) {
        guard.accept(c);
        for (int i = 0; i < 2000; ++i) REQUIRE_NOTHROW(guard.accept('7'));
        CHECK(!guard.allows('7'));
    }
    guard.accept('.');
    CHECK(guard.finished());
}

TEST_CASE("a lazy guard sleeps until its trigger, in whatever tokens that comes") {
    const tests::TinyModel model;
    const auto feed = [&](Guard& guard, std::string_view text) {
        for (const Token token : model->tokenize(text, false, false)) guard.accept(token);
    };
    const auto letter = [](char c) { return static_cast<Token>(c); };
    GuardOptions options;
    options.grammar = "root ::= \"<call>\" [0-9]+ \"</call>\"";
    options.lazy = true;
    options.trigger_words = {"<call>"};
    Guard guard(*model, options);
    feed(guard, "let me see: <cal");
    CHECK(guard.asleep());
    CHECK(guard.forced_tokens(8).empty());
    feed(guard, "l>");
    CHECK(!guard.asleep());
    CHECK(guard.allows(letter('7')));
    CHECK(!guard.allows(letter('x')));
    feed(guard, "12<");
    CHECK(model->detokenize(guard.forced_tokens(99)) == "/call>");
    feed(guard, "/call>");
    CHECK(guard.finished());
    options.trigger_words.clear();
    options.trigger_patterns = {"so (<call>)"};
    Guard by_pattern(*model, options);
    feed(by_pattern, "<call>so <call>");
    CHECK(!by_pattern.asleep());
    CHECK(!by_pattern.allows(letter('x')));
    options.trigger_patterns.clear();
    options.trigger_tokens = {257};
    options.kept_tokens = {257};
    options.grammar = "root ::= \"<|im_start|>\" \"x\"";
    Guard by_token(*model, options);
    by_token.accept(letter('x'));
    by_token.accept(257);
    CHECK(!by_token.asleep());
    CHECK(by_token.allows(letter('x')));
    CHECK(!by_token.allows(257));
}

TEST_SUITE_END();
