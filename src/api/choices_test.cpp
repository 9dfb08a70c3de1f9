#include "api/choices.hpp"

#include <doctest/doctest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <string>
#include <thread>

#include "base/error.hpp"

namespace jikji::api {
namespace {

using Writers = std::vector<std::shared_ptr<engine::StreamWriter>>;

Choices choices_of(const Writers& writers) {
    std::vector<service::Generation> generations;
    for (const auto& writer : writers)
        generations.emplace_back(engine::Stream(writer), service::Generation::Origin{});
    return Choices(std::move(generations));
}

Writers make_writers(std::size_t count) {
    Writers out;
    for (std::size_t i = 0; i < count; ++i) out.push_back(std::make_shared<engine::StreamWriter>());
    return out;
}

/// All texts by index, with '.' at the end of each.
net::awaitable<void> collect(Choices& choices, std::vector<std::string>& texts) {
    texts.resize(choices.size());
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        texts[arrival->index] += arrival->piece ? arrival->piece->text : ".";
    }
}

/// What ended the collecting, if something did.
std::exception_ptr run(Choices& choices, std::vector<std::string>& texts) {
    net::io_context context;
    std::exception_ptr failure;
    net::co_spawn(context, collect(choices, texts),
                  [&failure](std::exception_ptr cause) { failure = std::move(cause); });
    context.run();
    return failure;
}

}  // namespace

TEST_SUITE_BEGIN("choices");

TEST_CASE("what is there already is read in turn, without waiting") {
    const Writers writers = make_writers(2);
    for (const char* text : {"a", "b"}) {
        writers[0]->push({.text = text});
        writers[1]->push({.text = text});
    }
    writers[0]->finish(engine::Finish::kStop, {.prompt_tokens = 3, .completion_tokens = 2});
    writers[1]->finish(engine::Finish::kLength, {.prompt_tokens = 3, .completion_tokens = 5});
    Choices choices = choices_of(writers);
    std::vector<std::string> texts;
    CHECK_FALSE(run(choices, texts));
    CHECK(texts == std::vector<std::string>{"ab.", "ab."});
    CHECK(choices.at(1).finish() == engine::Finish::kLength);
    CHECK(choices.usage(2).prompt_tokens == 3);  // one prompt, two choices
    CHECK(choices.usage(1).prompt_tokens == 6);  // two prompts
    CHECK(choices.usage(2).completion_tokens == 7);
}

TEST_CASE("pieces from another thread arrive in order and none is lost") {
    constexpr int kPieces = 2000;
    const Writers writers = make_writers(3);
    Choices choices = choices_of(writers);
    std::thread engine([&] {
        for (int i = 0; i < kPieces; ++i)
            writers[static_cast<std::size_t>(i) % 3]->push({.text = "x"});
        for (const auto& writer : writers) writer->finish(engine::Finish::kStop, {});
    });
    std::vector<std::string> texts;
    CHECK_FALSE(run(choices, texts));
    engine.join();
    std::size_t total = 0;
    for (const std::string& text : texts) {
        CHECK(text.ends_with('.'));
        total += text.size() - 1;
    }
    CHECK(total == kPieces);
}

TEST_CASE("no choices at all end at once") {
    Choices choices = choices_of({});
    std::vector<std::string> texts;
    CHECK_FALSE(run(choices, texts));
    CHECK(choices.usage(1).prompt_tokens == 0);
}

TEST_CASE("what stopped the engine is thrown to the reader") {
    const Writers writers = make_writers(2);
    writers[0]->push({.text = "a"});
    writers[1]->fail(std::make_exception_ptr(Error(ErrorCode::kInternal, "broken")));
    Choices choices = choices_of(writers);
    std::vector<std::string> texts;
    const std::exception_ptr failure = run(choices, texts);
    REQUIRE(failure);
    CHECK_THROWS_WITH(std::rethrow_exception(failure), "broken");
}

TEST_CASE("a generation that the engine gave up is an error, never a short answer") {
    const Writers writers = make_writers(1);
    writers[0]->push({.text = "a"});
    writers[0]->finish(engine::Finish::kCancelled, {});
    Choices choices = choices_of(writers);
    std::vector<std::string> texts;
    const std::exception_ptr failure = run(choices, texts);
    REQUIRE(failure);
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kCancelled);
    }
}

TEST_CASE("dropping the choices cancels what still runs") {
    const Writers writers = make_writers(2);
    { const Choices choices = choices_of(writers); }
    CHECK_FALSE(writers[0]->wanted());
    CHECK_FALSE(writers[1]->wanted());
}

TEST_SUITE_END();

}  // namespace jikji::api
