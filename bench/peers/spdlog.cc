// SPDX-License-Identifier: MIT
// The peer spdlog in its fastest build, headers only (a tenth to a quarter faster here than the compiled
// library), with a file sink for many threads, no flush_on, and the default pattern; with ASYNC, the
// default thread pool (a queue of 8192, one worker) and the policy that blocks, so that nothing is lost.
#include "peer.h"
#include <memory>
#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <string>
#include <vector>

namespace
{
std::shared_ptr<spdlog::logger> log;
bool json;

// A record of JSON in spdlog's own means: nothing is escaped.
const char *const json_pattern =
    R"({"time":"%Y-%m-%dT%H:%M:%S.%e","level":"%l","logger":"%n",%v})";

void open_log(const char *path)
{
    spdlog::set_error_handler([](const std::string &) { peer_count_error(); });
#ifdef ASYNC
    log = spdlog::create_async<spdlog::sinks::basic_file_sink_mt>(PEER_LOGGER, path);
#else
    log = spdlog::basic_logger_mt(PEER_LOGGER, path);
#endif
    if (json)
        log->set_pattern(json_pattern);
}

// The pool's worker ends when its queue is empty, and the file is closed with its last logger.
void close_log()
{
    log.reset();
    spdlog::shutdown();
}

void log_0(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info("no fields");
}

void log_3(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info("three numbers a={} b={} c={}", i, 42, 3.25);
}

void log_3s(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info("a string and two integers path={} status={} bytes={}", "/index.html", 200, i);
}

void log_10(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info("ten fields a={} b={} c={} path={} host={} status={} bytes={} ok={} took={}us"
                  " agent={}",
                  i, 42, 3.25, "/index.html", "www.example.org", 200, 5120, i != 0, 1500,
                  "curl/7.88.1");
}

void log_text(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info("line {} {}", PEER_FIRST + i, peer_filler);
}

#ifndef ASYNC
void log_json(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        log->info(R"("msg":"ten fields","a":{},"b":{},"c":{},"path":"{}","host":"{}","status":{},)"
                  R"("bytes":{},"ok":{},"took":{},"agent":"{}")",
                  PEER_FIRST + i, 42, 3.25, "/index.html", "www.example.org", 200, 5120, true, 0.0015,
                  "curl/7.88.1");
}

// The call as everyone writes it: gcc 12 does not inline it.
void call_off(uint64_t count)
{
    log = std::make_shared<spdlog::logger>(PEER_LOGGER,
                                           std::make_shared<spdlog::sinks::null_sink_mt>());
    for (uint64_t i = 0; i < count; i++) {
        PEER_FORGET();
        log->debug("off i={}", i);
    }
}

// The call as its manual has it for costly arguments.
void call_guarded(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        PEER_FORGET();
        if (log->should_log(spdlog::level::debug))
            log->debug("off i={}", i);
    }
}

// The nearest thing that spdlog has to a child: a logger of another name, without fields.
std::string name_child(uint64_t i)
{
    return PEER_LOGGER ".conn-" + std::to_string(i);
}

void cycle(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        std::shared_ptr<spdlog::logger> child = log->clone(name_child(i));
        child->info("request done status={}", 200);
    }
}

void create_drop(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        std::shared_ptr<spdlog::logger> child = log->clone(name_child(i));
}

void hold(uint64_t count)
{
    static std::vector<std::shared_ptr<spdlog::logger>> held;
    held.reserve(count);
    for (uint64_t i = 0; i < count; i++)
        held.push_back(log->clone(name_child(i)));
}
#endif
} // namespace

int main(int argc, char **argv)
{
    peer peer = {};
    peer.open = open_log;
    peer.close = close_log;
    peer.paced[PEER_0] = log_0;
    peer.paced[PEER_3] = log_3;
    peer.paced[PEER_3S] = log_3s;
    peer.paced[PEER_10] = log_10;
    peer.text = log_text;
#ifdef ASYNC
    peer.subject = "spdlog async";
#else
    peer.subject = "spdlog";
    peer.json10 = log_json;
    peer.off = call_off;
    peer.off_guarded = call_guarded;
    peer.cycle = cycle;
    peer.create_drop = create_drop;
    peer.hold = hold;
    json = argc == 3 && std::string(argv[2]).compare(0, 6, "json10") == 0;
#endif
    return peer_main(argc, argv, &peer);
}
