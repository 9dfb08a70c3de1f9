#pragma once
// How many requests may wait for the engine, of whom, and what those are told that find no place.
//
// Rule     as many as there are places in all, and of one tenant at most its part of them (half):
//          so a tenant that sends without end leaves half of the places to the others.
// Threads  any.
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace jikji::engine {

class WaitingRoom {
public:
    /// One place; free again when it is released or goes. Must not outlive its room.
    class Place {
    public:
        Place() = default;
        Place(Place&& other) noexcept { swap(other); }
        Place& operator=(Place&& other) noexcept {
            Place(std::move(other)).swap(*this);
            return *this;
        }
        ~Place() { release(); }
        void release();

    private:
        friend class WaitingRoom;
        Place(WaitingRoom& room, std::string tenant) : room_(&room), tenant_(std::move(tenant)) {}
        void swap(Place& other) noexcept {
            std::swap(room_, other.room_);
            tenant_.swap(other.tenant_);
        }
        WaitingRoom* room_ = nullptr;
        std::string tenant_;
    };

    /// `of_one_tenant` = 0: half of the places, at least one.
    explicit WaitingRoom(int places, int of_one_tenant = 0);

    /// Throws Error(kOverloaded) with retry_after() if there is none.
    Place take(const std::string& tenant);

    /// How long those that wait now will keep the machine busy; from time to time, by the engine.
    void predict(std::chrono::milliseconds wait) { wait_ms_ = wait.count(); }

    int waiting() const { return waiting_; }

private:
    [[noreturn]] void refuse(int waiting, int limit, bool tenant) const;
    void release(const std::string& tenant);

    const int places_;
    const int of_one_tenant_;
    std::atomic<std::chrono::milliseconds::rep> wait_ms_{0};
    std::atomic<int> waiting_{0};  // changed with the lock held
    std::mutex mutex_;
    std::map<std::string, int> of_tenant_;
};

}  // namespace jikji::engine
