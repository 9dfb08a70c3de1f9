// The one place where Asio and Beast are compiled (they take 20 CPU-seconds).
#include <boost/asio/impl/src.hpp>
#include <boost/beast/src.hpp>
