#pragma once
// Private to http: a multipart body's parts into a Form, files straight to disk.
#include <cstdint>
#include <filesystem>
#include <functional>

#include "base/file.hpp"
#include "http/multipart.hpp"
#include "http/router.hpp"

namespace jikji::http {

/// Throws Error(kDiskFull) when the disk is, Error(kInvalidArgument) or Error(kTooLarge) for fields
/// beyond the limits. Files of a form that is never taken are removed.
class FormSink : public PartSink {
public:
    static constexpr std::size_t kFieldBytes = 1024 * 1024;  // all fields together

    explicit FormSink(const UploadRoute& route) : route_(route) {}
    void begin(const PartHead& head) override;
    void data(std::string_view bytes) override;
    void end() override;
    Form take() { return std::move(form_); }

private:
    const UploadRoute& route_;
    Form form_;
    std::string field_;
    std::string value_;
    std::size_t field_bytes_ = 0;
    Fd file_;  // open while a file's part comes
};

}  // namespace jikji::http
