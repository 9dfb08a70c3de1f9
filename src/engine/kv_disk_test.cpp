#include "engine/kv_disk.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <random>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "engine/prefix_cache.hpp"

using namespace jikji;
using namespace jikji::engine;
namespace fs = std::filesystem;

namespace {

const std::string kRoot = PrefixTree::root_id("a model", "somebody");

struct Folder {
    Folder()
        : path(fs::temp_directory_path() / ("jikji-kv-" + std::to_string(std::random_device{}()))) {
    }
    ~Folder() { fs::remove_all(path); }
    std::vector<fs::path> files() const {
        std::vector<fs::path> out;
        for (const auto& entry : fs::directory_iterator(path)) out.push_back(entry.path());
        return out;
    }
    fs::path path;
};

PrefixCacheOptions options(const Folder& folder, std::uint64_t memory = 1 << 20) {
    PrefixCacheOptions out;
    out.memory_bytes_max = memory;
    out.disk_bytes_max = 1 << 20;
    out.disk.folder = folder.path;
    out.disk.free_bytes_min = 0;
    return out;
}

std::vector<Token> text(Token first, int count) {
    std::vector<Token> out;
    for (int i = 0; i < count; ++i) out.push_back(first + i);
    return out;
}

/// A state that says which range it is of.
std::string state_of(int start, int end) {
    return std::to_string(start) + ".." + std::to_string(end) + std::string(1000, '#');
}

void put(PrefixCache& cache, const std::vector<Token>& tokens) {
    cache.put(kRoot, tokens, false, state_of, 0.001);
}

/// Tokens that are in memory once the disk has answered, and whether each state is its range's.
int known(PrefixCache& cache, const std::vector<Token>& tokens) {
    bool asked = false;
    for (int i = 0; i < 5000; ++i) {
        cache.poll();
        if (!cache.fetched(kRoot, tokens, false, asked)) {
            cache.wait();
            continue;
        }
        const PrefixPath path = cache.find(kRoot, tokens, false);
        for (const PrefixBlock* block : path.blocks) {
            CHECK(*block->state == state_of(block->start, block->end()));
        }
        return path.tokens;
    }
    FAIL("the disk never answered");
    return -1;
}

/// A cache that has put a text of three blocks on the disk and is gone.
void leave_behind(const Folder& folder, const std::vector<Token>& tokens) {
    PrefixCache cache(options(folder));
    put(cache, tokens);
}

}  // namespace

TEST_SUITE_BEGIN("kv_disk");

TEST_CASE("a header comes back as it was, and not if a byte of it differs") {
    KvHeader header;
    header.parent = std::string(32, 'a');
    header.start = 64;
    header.tokens = {1, -2, 300000};
    header.id = PrefixTree::block_id(header.parent, header.tokens);
    header.seconds = 0.25;
    const std::string bytes = write_kv_header(header, "the state");
    CHECK(kv_header_size(bytes.substr(0, kKvFixedBytes)) == bytes.size());
    const auto read = read_kv_header(bytes);
    REQUIRE(read.has_value());
    CHECK(read->id == header.id);
    CHECK(read->parent == header.parent);
    CHECK(read->start == 64);
    CHECK(read->tokens == header.tokens);
    CHECK(read->seconds == 0.25);
    CHECK(state_is_whole(*read, "the state"));
    CHECK_FALSE(state_is_whole(*read, "the stale"));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        std::string other = bytes;
        other[i] = static_cast<char>(other[i] ^ 1);
        CHECK_FALSE(read_kv_header(other).has_value());
        CHECK_FALSE(read_kv_header(std::string_view(bytes).substr(0, i)).has_value());
    }
}

TEST_CASE("what was kept is there after a restart, in files that others cannot read") {
    Folder folder;
    leave_behind(folder, text(1, 150));
    REQUIRE(folder.files().size() == 3);
    for (const auto& file : folder.files()) {
        CHECK((fs::status(file).permissions() & (fs::perms::group_all | fs::perms::others_all)) ==
              fs::perms::none);
    }
    PrefixCache again(options(folder));
    CHECK(known(again, text(1, 150)) == 150);
    CHECK(again.stats().memory_bytes > 3000);
    CHECK(known(again, text(1, 100)) == 100);
    CHECK(known(again, text(2, 100)) == 0);
}

TEST_CASE("damaged, cut and foreign files are taken out, and what follows them is not used") {
    Folder folder;
    leave_behind(folder, text(1, 150));
    const auto first = folder.files().front();
    SUBCASE("a byte of the state") {
        std::fstream file(first, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(-5, std::ios::end);
        file.put('x');
        file.close();
        PrefixCache again(options(folder));
        CHECK(known(again, text(1, 150)) < 150);
        CHECK_FALSE(fs::exists(first));
    }
    SUBCASE("a byte of the header") {
        std::fstream file(first, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(20);
        file.put('x');
        file.close();
        PrefixCache again(options(folder));
        CHECK(known(again, text(1, 150)) < 150);
        CHECK_FALSE(fs::exists(first));
    }
    SUBCASE("cut") {
        fs::resize_file(first, fs::file_size(first) - 1);
        PrefixCache again(options(folder));
        CHECK(known(again, text(1, 150)) < 150);
        CHECK_FALSE(fs::exists(first));
    }
    SUBCASE("not ours, and a half-written one") {
        std::ofstream(folder.path / "notes.txt") << "hello";
        std::ofstream(folder.path / (std::string(32, '0') + ".kv.part")) << "JKV1";
        std::ofstream(folder.path / (std::string(32, '0') + ".kv")) << "";
        PrefixCache again(options(folder));
        CHECK(known(again, text(1, 150)) == 150);
        CHECK(folder.files().size() == 3);
    }
}

TEST_CASE("what leaves memory is read again; both limits hold") {
    Folder folder;
    PrefixCacheOptions limits = options(folder, 4500);  // four states of about 1,010 bytes
    limits.disk_bytes_max = 12'500;
    PrefixCache cache(limits);
    for (Token first : {1, 1001, 2001, 3001}) {
        put(cache, text(first, 128));
        CHECK(cache.stats().memory_bytes <= 4500);
    }
    CHECK(cache.stats().disk_bytes > 8000);
    CHECK(known(cache, text(1, 128)) == 128);  // not yet written, or written: it is there
    for (Token first = 4001; first < 20'000; first += 1000) put(cache, text(first, 128));
    CHECK(cache.stats().disk_bytes <= 12'500);
    CHECK(cache.stats().memory_bytes <= 4500);
}

TEST_CASE("a full disk is no error: what is in memory stays") {
    Folder folder;
    PrefixCacheOptions full = options(folder);
    full.disk.delay = std::chrono::milliseconds(0);
    full.disk.write = [](const fs::path& path, std::string_view header, std::string_view) {
        std::ofstream(path) << header;
        throw_errno(ENOSPC, "writing", path);
    };
    PrefixCache cache(full);
    put(cache, text(1, 150));
    for (int i = 0; i < 5000 && cache.stats().disk_bytes > 0; ++i) {
        cache.wait();
        cache.poll();
    }
    CHECK(cache.stats().disk_bytes == 0);
    CHECK(known(cache, text(1, 150)) == 150);
    put(cache, text(5001, 150));  // does not try again so soon
    CHECK(cache.stats().disk_bytes == 0);
    CHECK(folder.files().empty());
}

TEST_CASE("a file that says it is larger than any memory is taken out, and nothing else happens") {
    Folder folder;
    KvHeader header;
    header.parent = kRoot;
    header.tokens = text(1, 64);
    header.id = PrefixTree::block_id(kRoot, header.tokens);
    std::string bytes = write_kv_header(header, "state");
    constexpr std::size_t kDigest = 64, kStateBytesAt = kKvFixedBytes + 2 * 32 + 4 + 4 + 8;
    bytes[kStateBytesAt + 7] = 0x10;  // 2^60 and 5
    bytes.resize(bytes.size() - kDigest);
    bytes += sha256_hex(bytes);
    REQUIRE(read_kv_header(bytes).has_value());
    KvDisk disk({.folder = folder.path});
    disk.settle();
    CHECK(disk.events().size() == 1);  // scanned: there was nothing
    const fs::path path = folder.path / (header.id + ".kv");
    std::ofstream(path, std::ios::binary) << bytes << "state";
    disk.load(header.id);
    disk.settle();
    const auto events = disk.events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == KvDisk::Event::Kind::kLost);
    CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a folder that is none keeps nothing, and stops nobody") {
    Folder folder;
    std::ofstream(folder.path) << "a file in its place";
    KvDisk disk({.folder = folder.path, .delay = std::chrono::milliseconds(0)});
    disk.settle();
    disk.load("none");
    KvHeader header;
    header.id = "x";
    CHECK(disk.store(header, std::make_shared<const std::string>("state")));
    disk.settle();
    using Kind = KvDisk::Event::Kind;
    std::vector<Kind> kinds;
    for (const auto& event : disk.events()) kinds.push_back(event.kind);
    CHECK(kinds == std::vector{Kind::kScanned, Kind::kLost, Kind::kLost});
}

TEST_CASE("what is forgotten goes, on disk as well, found yet or not; other tenants' stays") {
    Folder folder;
    leave_behind(folder, text(1, 150));
    {
        PrefixCache cache(options(folder));
        CHECK(known(cache, text(1, 150)) == 150);
        put(cache, text(1001, 150));
        cache.forget("nobody");
        CHECK(known(cache, text(1, 150)) == 150);
        cache.forget("somebody");
        CHECK(cache.stats().blocks == 0);
        CHECK(known(cache, text(1, 150)) == 0);
    }
    CHECK(folder.files().empty());
    leave_behind(folder, text(1, 150));
    {
        PrefixCache cache(options(folder));
        cache.forget("somebody");  // before the first look at what the disk has told
        CHECK(known(cache, text(1, 150)) == 0);
    }
    CHECK(folder.files().empty());
}

TEST_CASE("a longer text's files take the place of its beginning's") {
    Folder folder;
    leave_behind(folder, text(1, 100));
    {
        PrefixCache cache(options(folder));
        CHECK(known(cache, text(1, 100)) == 100);
        put(cache, text(1, 120));
    }
    CHECK(folder.files().size() == 2);
    PrefixCache again(options(folder));
    CHECK(known(again, text(1, 120)) == 120);
}

TEST_SUITE_END();
