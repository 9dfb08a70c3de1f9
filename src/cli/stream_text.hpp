#pragma once
// The text of an answer as it comes, stripped at both ends (S2): white space is held back until
// something follows it.
#include <string>
#include <string_view>

namespace jikji::cli {

class StripStream {
public:
    /// What can be shown now.
    std::string add(std::string_view piece) {
        std::string out;
        for (const char c : piece) {
            if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                if (started_) held_ += c;
            } else {
                out += held_;
                out += c;
                held_.clear();
                started_ = true;
            }
        }
        return out;
    }

private:
    bool started_ = false;
    std::string held_;
};

}  // namespace jikji::cli
