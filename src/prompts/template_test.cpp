#include "prompts/template.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace jikji::prompts {

TEST_SUITE_BEGIN("prompts");

// Reference: mission.md S5, byte for byte.
TEST_CASE("format_prompt") {
    Template t;
    t.system_prompt = "당신은 친절한 선생님입니다.";
    CHECK(format_prompt(t, "중력이 뭐예요?") ==
          "당신은 친절한 선생님입니다.\n\nUser: 중력이 뭐예요?\nAssistant:");
    t.examples = {{"1+1은?", "2입니다."}, {"하늘은\n왜 파래요?", "빛이 흩어져서요 {user}."}};
    CHECK(format_prompt(t, "{user}") ==
          "당신은 친절한 선생님입니다.\n\n"
          "User: 1+1은?\nAssistant: 2입니다.\n\n"
          "User: 하늘은\n왜 파래요?\nAssistant: 빛이 흩어져서요 {user}.\n\n"
          "User: {user}\nAssistant:");
    CHECK(format_prompt({}, "") == "\n\nUser: \nAssistant:");
}

// Reference: mission.md S6, byte for byte.
TEST_CASE("the ready-made roles, filled") {
    const char* want[] = {
        "default|당신은 도움이 되는 AI 어시스턴트입니다.\n\nUser: 질문\nAssistant:",
        "coding|당신은 전문 프로그래머입니다. 코드를 명확하고 효율적으로 작성합니다.\n\n"
        "요구사항: 질문\n\n코드:",
        "teacher|당신은 친절한 선생님입니다. 복잡한 개념을 쉽게 설명합니다.\n\n"
        "학생 질문: 질문\n\n선생님 답변:",
        "creative|당신은 창의적인 작가입니다.\n\n주제: 질문\n\n창작물:",
    };
    const std::vector<Template> roles = ready_made_roles();
    REQUIRE(roles.size() == 4);
    for (std::size_t i = 0; i < roles.size(); ++i) {
        const std::string text =
            fill(roles[i].user_template, {{"system", roles[i].system_prompt}, {"user", "질문"}});
        CHECK(roles[i].name + "|" + text == want[i]);
        CHECK_FALSE(roles[i].is_active);
        CHECK_NOTHROW(validate(roles[i]));
    }
}

struct FillCase {
    const char* text;
    const char* want;
};

TEST_CASE("fill replaces once and leaves other braces") {
    const FillCase cases[] = {
        {"", ""},
        {"{a}{b}", "1{a}"},  // a value is not looked into again
        {"{{a}}", "{1}"},
        {"{ a } {} {1a} {a", "{ a } {} {1a} {a"},
        {"json {\"a\": {a}}", "json {\"a\": 1}"},
        {"{이름}님", "직지님"},
    };
    for (const FillCase& c : cases) {
        CAPTURE(c.text);
        CHECK(fill(c.text, {{"a", "1"}, {"b", "{a}"}, {"이름", "직지"}}) == c.want);
    }
    CHECK(variables_of("{b} {a} {a} {1}") == std::set<std::string>{"a", "b"});
}

TEST_CASE("fill names the variable that is missing") {
    try {
        fill("{tone} {user}", {{"user", "x"}});
        FAIL("a template was filled without one of its variables");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "prompt.variables");
        CHECK(std::string(error.what()).find("'tone'") != std::string::npos);
    }
}

TEST_CASE("a name has 1 to 100 characters") {
    Template t;
    const auto hundred = [] {
        std::string out;
        for (int i = 0; i < 100; ++i) out += "가";
        return out;
    }();
    t.name = hundred;
    CHECK_NOTHROW(validate(t));
    for (const std::string& bad : {std::string(), hundred + "나"}) {
        t.name = bad;
        try {
            validate(t);
            FAIL("a name of this length passed");
        } catch (const Error& error) {
            CHECK(error.field() == "name");
        }
    }
}

TEST_SUITE_END();

}  // namespace jikji::prompts
