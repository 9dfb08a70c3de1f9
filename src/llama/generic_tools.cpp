#include "llama/generic_tools.hpp"

#include <json.h>

namespace jikji::llama {

const char* const kGenericToolTemplate =
    "{%- if tools %}{{ '<|im_start|>system\\n<tools>\\n' }}"
    "{%- for tool in tools %}{{ tool | tojson }}{{ '\\n' }}{%- endfor %}"
    "{{ '</tools><|im_end|>\\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if message.role == 'tool' %}"
    "{{ '<|im_start|>user\\n<tool_response>\\n' + message.content + "
    "'\\n</tool_response><|im_end|>\\n' }}"
    "{%- else %}"
    "{{ '<|im_start|>' + message.role + '\\n' }}"
    "{%- if message.content %}{{ message.content }}{%- endif %}"
    "{%- if message.tool_calls %}{%- for call in message.tool_calls %}"
    "{{ '\\n<tool_call>\\n{\"name\": \"' + call.function.name + '\", \"arguments\": ' }}"
    "{{ call.function.arguments | tojson }}{{ '}\\n</tool_call>' }}"
    "{%- endfor %}{%- endif %}"
    "{{ '<|im_end|>\\n' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{%- endif %}";

namespace {

std::string introduction(const ChatOptions& options) {
    std::string out =
        "You can call functions. Here they are, each with a JSON schema of its arguments:\n"
        "<tools>\n";
    for (const ChatTool& tool : options.tools) {
        common_json one = common_json::object();
        one["name"] = tool.name;
        if (!tool.description.empty()) one["description"] = tool.description;
        one["parameters"] = common_json::parse(tool.parameters);
        out += one.dump_safe() + "\n";
    }
    out +=
        "</tools>\nTo call one, write:\n<tool_call>\n{\"name\": <its name>, \"arguments\": "
        "<an object>}\n</tool_call>";
    out += options.must_call ? "\nYou must call a function now."
                             : "\nCall one only if it helps; else just answer.";
    return out;
}

}  // namespace

ChatOptions without_tools(ChatOptions options) {
    ChatOptions out = options;
    out.tools.clear();
    out.turns.clear();
    const std::string intro = options.tools.empty() ? std::string() : introduction(options);
    if (!intro.empty() && (options.turns.empty() || options.turns[0].role != "system")) {
        out.turns.push_back({"system", intro, {}, {}, {}, {}});
    }
    for (const ChatTurn& turn : options.turns) {
        ChatTurn plain;
        plain.role = turn.role == "tool" ? "user" : turn.role;
        plain.content = turn.content;
        if (turn.role == "tool") {
            plain.content = "<tool_response>\n" + turn.content + "\n</tool_response>";
        }
        for (const ParsedCall& call : turn.calls) {
            if (!plain.content.empty()) plain.content += '\n';
            plain.content += "<tool_call>\n{\"name\": \"" + call.name +
                             "\", \"arguments\": " + call.arguments + "}\n</tool_call>";
        }
        if (&turn == &options.turns[0] && turn.role == "system" && !intro.empty()) {
            plain.content += "\n\n" + intro;
        }
        // Answers of several calls are one turn: many templates want user and assistant by turns.
        if (turn.role == "tool" && !out.turns.empty() && out.turns.back().role == "user") {
            out.turns.back().content += "\n" + plain.content;
        } else {
            out.turns.push_back(std::move(plain));
        }
    }
    return out;
}

}  // namespace jikji::llama
