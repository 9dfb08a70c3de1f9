#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "training/loss_curve.hpp"

namespace jikji::training {
namespace {

constexpr double kWidth = 840, kHeight = 440;
constexpr double kLeft = 64, kRight = 20, kTop = 56, kBottom = 48;
constexpr std::size_t kPointsMost = 700;  // about one a pixel
constexpr double kSmooth = 20;            // steps over which the bold line averages

struct Point {
    double step;
    double loss;
};

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default:
                if (static_cast<unsigned char>(c) >= 0x20) out += c;
        }
    }
    return out;
}

/// Means of neighbours, so that a long run does not make a large file.
std::vector<Point> thinned(const std::vector<Point>& points) {
    const std::size_t each =
        (points.size() + kPointsMost - 1) / std::max<std::size_t>(1, kPointsMost);
    if (each <= 1) return points;
    std::vector<Point> out;
    for (std::size_t i = 0; i < points.size(); i += each) {
        const std::size_t end = std::min(points.size(), i + each);
        Point mean{0, 0};
        for (std::size_t j = i; j < end; ++j) {
            mean.step += points[j].step;
            mean.loss += points[j].loss;
        }
        const auto count = static_cast<double>(end - i);
        out.push_back({mean.step / count, mean.loss / count});
    }
    return out;
}

/// A moving average whose start is not drawn to zero.
std::vector<Point> smoothed(std::vector<Point> points) {
    const double keep = 1 - 1 / std::min(kSmooth, std::max(1.0, points.size() / 10.0));
    double sum = 0, weight = 0;
    for (Point& point : points) {
        sum = keep * sum + point.loss;
        weight = keep * weight + 1;
        point.loss = sum / weight;
    }
    return points;
}

/// 1, 2 or 5 times a power of ten, about five of them in `range`.
double tick_of(double range) {
    const double rough = range / 5;
    const double power = std::pow(10, std::floor(std::log10(rough)));
    for (const double times : {1.0, 2.0, 5.0}) {
        if (times * power >= rough) return times * power;
    }
    return 10 * power;
}

class Plot {
public:
    Plot(double steps, double low, double high) : steps_(steps), low_(low), high_(high) {
        out_ = fmt::format(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
            "height=\"{1}\" font-family=\"sans-serif\" font-size=\"13\" fill=\"#222\">\n"
            "<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
            kWidth, kHeight);
    }
    double x(double step) const { return kLeft + step / steps_ * (kWidth - kLeft - kRight); }
    double y(double loss) const {
        return kTop + (high_ - loss) / (high_ - low_) * (kHeight - kTop - kBottom);
    }
    void text(double at_x, double at_y, std::string_view anchor, std::string_view words) {
        out_ += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", at_x,
                            at_y, anchor, escaped(words));
    }
    void line(double x1, double y1, double x2, double y2, std::string_view style) {
        out_ +=
            fmt::format("<path d=\"M{:.1f} {:.1f}L{:.1f} {:.1f}\" {}/>\n", x1, y1, x2, y2, style);
    }
    void curve(const std::vector<Point>& points, std::string_view style) {
        if (points.empty()) return;
        out_ += "<path d=\"";
        char letter = 'M';
        for (const Point& p : points) {
            out_ += fmt::format("{}{:.1f} {:.1f}", letter, x(p.step), y(p.loss));
            letter = 'L';
        }
        out_ += fmt::format("\" fill=\"none\" {}/>\n", style);
    }
    void dots(const std::vector<Point>& points, std::string_view colour) {
        for (const Point& p : points) {
            out_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" fill=\"{}\"/>\n",
                                x(p.step), y(p.loss), colour);
        }
    }
    void axes() {
        const double loss_tick = tick_of(high_ - low_);
        for (double at = std::ceil(low_ / loss_tick) * loss_tick; at <= high_; at += loss_tick) {
            line(kLeft, y(at), kWidth - kRight, y(at), "stroke=\"#ddd\"");
            text(kLeft - 8, y(at) + 4, "end", fmt::format("{:.4g}", at));
        }
        const double step_tick = std::max(1.0, tick_of(steps_));
        for (double at = 0; at <= steps_; at += step_tick) {
            text(x(at), kHeight - kBottom + 20, "middle", fmt::format("{:.0f}", at));
        }
        line(kLeft, kHeight - kBottom, kWidth - kRight, kHeight - kBottom, "stroke=\"#888\"");
        text(kWidth - kRight, kHeight - 8, "end", "step");
    }
    std::string finish() { return std::move(out_) + "</svg>\n"; }

private:
    double steps_, low_, high_;
    std::string out_;
};

struct Legend {
    const char* words;
    const char* style;
};

constexpr const char* kThin = "stroke=\"#9ec5e8\" stroke-width=\"1\"";
constexpr const char* kBold = "stroke=\"#1c6fb8\" stroke-width=\"2\"";
constexpr const char* kHeldOut = "stroke=\"#d1491b\" stroke-width=\"2\"";
constexpr const char* kBase = "stroke=\"#888\" stroke-width=\"1.5\" stroke-dasharray=\"6 4\"";

}  // namespace

std::string loss_svg(const std::vector<CurveRow>& rows, const PlotFacts& facts) {
    std::vector<Point> train, held_out;
    for (const CurveRow& row : rows) {
        const auto step = static_cast<double>(row.step);
        if (row.train_loss) train.push_back({step, *row.train_loss});
        if (row.valid_loss) held_out.push_back({step, *row.valid_loss});
    }
    double low = 1e300, high = -1e300;
    for (const auto* points : {&train, &held_out}) {
        for (const Point& p : *points) {
            low = std::min(low, p.loss);
            high = std::max(high, p.loss);
        }
    }
    if (facts.base_loss) {
        low = std::min(low, *facts.base_loss);
        high = std::max(high, *facts.base_loss);
    }
    if (low > high) low = 0, high = 1;
    const double room = std::max(1e-6, (high - low) * 0.05);
    const double last = rows.empty() ? 1.0 : static_cast<double>(rows.back().step);
    Plot plot(std::max({1.0, last, static_cast<double>(facts.steps_total)}),
              std::max(0.0, low - room), high + room);
    plot.axes();
    plot.curve(thinned(train), kThin);
    plot.curve(thinned(smoothed(train)), kBold);
    if (facts.base_loss) {
        const double at = plot.y(*facts.base_loss);
        plot.line(kLeft, at, kWidth - kRight, at, kBase);
    }
    plot.curve(held_out, kHeldOut);
    plot.dots(held_out, "#d1491b");
    plot.text(kLeft, 20, "start", facts.title);
    double at = kLeft;
    for (const Legend& legend : {Legend{"training loss", kBold}, Legend{"held-out loss", kHeldOut},
                                 Legend{"held-out loss of the base", kBase}}) {
        plot.line(at, 38, at + 26, 38, legend.style);
        plot.text(at + 32, 42, "start", legend.words);
        at += 150;
    }
    return plot.finish();
}

}  // namespace jikji::training
