// The flow graph of oneTBB: builds and runs a graph over and over, and prints the
// nanoseconds of each build and of each run of the whole graph.
//
// Arguments: threads, milliseconds to warm up, milliseconds to measure, fewest runs.
// Standard input: the number of nodes, and a line a node with how many it runs
// after, and which.

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

using Clock = std::chrono::steady_clock;
using Node = tbb::flow::continue_node<tbb::flow::continue_msg>;

static std::atomic<std::uint64_t> count{0};

struct Graph {
    tbb::flow::graph graph;
    std::deque<Node> nodes;
    std::vector<Node *> roots;

    explicit Graph(const std::vector<std::vector<std::uint32_t>> &shape) {
        for (const auto &before : shape) {
            nodes.emplace_back(graph, [](const tbb::flow::continue_msg &message) {
                count.fetch_add(1, std::memory_order_relaxed);
                return message;
            });
            for (std::uint32_t other : before) {
                tbb::flow::make_edge(nodes[other], nodes.back());
            }
            if (before.empty()) {
                roots.push_back(&nodes.back());
            }
        }
    }

    void run() {
        for (Node *root : roots) {
            root->try_put(tbb::flow::continue_msg());
        }
        graph.wait_for_all();
    }
};

template <typename F> static double nanoseconds(F f) {
    auto start = Clock::now();
    f();
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

static std::uint32_t number() {
    unsigned value = 0;
    if (std::scanf("%u", &value) != 1) {
        std::fprintf(stderr, "standard input ends in the middle of a graph\n");
        std::exit(2);
    }
    return value;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        std::fprintf(stderr, "usage: %s THREADS WARM_UP_MS MEASURE_MS FEWEST\n", argv[0]);
        return 2;
    }
    tbb::global_control threads(tbb::global_control::max_allowed_parallelism,
                                std::strtoul(argv[1], nullptr, 10));
    std::chrono::milliseconds warm_up(std::strtoul(argv[2], nullptr, 10));
    std::chrono::milliseconds measure(std::strtoul(argv[3], nullptr, 10));
    std::size_t fewest = std::strtoul(argv[4], nullptr, 10);

    std::vector<std::vector<std::uint32_t>> shape(number());
    for (auto &before : shape) {
        before.resize(number());
        for (auto &other : before) {
            other = number();
        }
    }

    std::unique_ptr<Graph> graph;
    for (std::size_t built = 0; built < fewest; ++built) {
        graph.reset();
        double time = nanoseconds([&] { graph = std::make_unique<Graph>(shape); });
        std::printf("build %.0f\n", time);
    }
    std::uint64_t runs = 0;
    for (auto start = Clock::now(); Clock::now() - start < warm_up; ++runs) {
        graph->run();
    }
    std::size_t measured = 0;
    for (auto start = Clock::now(); Clock::now() - start < measure || measured < fewest;
         ++measured, ++runs) {
        std::printf("run %.0f\n", nanoseconds([&] { graph->run(); }));
    }
    if (count.load() != runs * shape.size()) {
        std::fprintf(stderr, "some node was not run once\n");
        return 1;
    }
    return 0;
}
