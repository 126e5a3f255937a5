//  CapacityPlot.swift: CPU, slack and loss over the number of participants, as SVG.

import Foundation

package enum CapacityPlot {
  private struct Curve {
    var name: String
    var colour: String
    var points: [(x: Double, y: Double)]
  }
  private struct Panel {
    var title: String
    var unit: String
    /// Where the gate is.
    var limit: Double?
    var limitName = ""
    /// The axis reaches at least from 0 to this.
    var least: Double
    /// The axis goes no further; points beyond stand at its end.
    var most = Double.infinity
    var curves: [Curve]
  }

  private static let width = 780.0
  private static let left = 76.0
  private static let right = 172.0
  private static let top = 84.0
  private static let panelHeight = 170.0
  private static let gap = 52.0

  /// One picture of three panels, readable in black on white.
  package static func svg(_ report: CapacityReport) -> String {
    let steps = merged(report.steps)
    let panels = [
      Panel(
        title: "CPU", unit: "% of a core", limit: 100, limitName: "one core", least: 100,
        curves: [
          curve("media host", "#2a6f97", steps) { $0.mediaHostCPUCores.map { $0 * 100 } },
          curve("load tool", "#b08900", steps) { $0.loadToolCPUShare * 100 },
        ]),
      Panel(
        title: "slack of a tick", unit: "ms", limit: report.gate.slackP999Milliseconds, limitName: "gate, p99.9",
        least: 20, most: 20,
        curves: [
          curve("p50", "#74a9cf", steps) { $0.slackP50Milliseconds },
          curve("p99", "#2b8cbe", steps) { $0.slackP99Milliseconds },
          curve("p99.9", "#c0392b", steps) { $0.slackP999Milliseconds },
        ]),
      Panel(
        title: "mixes lost, or not in time", unit: "%", limit: (1 - report.gate.onTimeShare) * 100, limitName: "gate",
        least: 1, most: 5,
        curves: [
          curve("not in time", "#c0392b", steps) { $0.onTimeShare.map { (1 - $0) * 100 } },
          curve("lost", "#8e44ad", steps) { $0.lostShare * 100 },
        ]),
    ]
    let highest = Double(steps.map(\.participants).max() ?? 1)
    let axis = Axis(least: 0, most: highest)
    let height = top + Double(panels.count) * (panelHeight + gap) + 20
    var parts = [
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"\(f(width))\" height=\"\(f(height))\" "
        + "viewBox=\"0 0 \(f(width)) \(f(height))\" font-family=\"sans-serif\" font-size=\"12\">",
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>",
      text(left, 24, "\(report.participants) participants carried (\(report.profile), \(report.suite))", size: 15),
      text(
        left, 43,
        "commit \(report.commit), \(report.processor); limited by \(report.limit.rawValue)"
          + (report.confirmed ? "" : "; not confirmed"), colour: "#555555"),
    ]
    for (index, panel) in panels.enumerated() {
      parts += draw(
        panel, at: top + Double(index) * (panelHeight + gap), axis, report.participants, steps,
        isLast: index == panels.count - 1)
    }
    return parts.joined(separator: "\n") + "\n</svg>\n"
  }

  /// The last measurement of each number, by number.
  private static func merged(_ steps: [CapacityStep]) -> [CapacityStep] {
    var last: [Int: CapacityStep] = [:]
    for step in steps { last[step.participants] = step }
    return last.values.sorted { $0.participants < $1.participants }
  }

  private static func curve(
    _ name: String, _ colour: String, _ steps: [CapacityStep], _ value: (CapacityStep) -> Double?
  ) -> Curve {
    Curve(
      name: name, colour: colour,
      points: steps.compactMap { step in value(step).map { (Double(step.participants), $0) } })
  }

  /// A scale with round marks.
  private struct Axis {
    var marks: [Double]
    var end: Double

    init(least: Double, most: Double) {
      let span = max(least, most, 1e-9)
      let rough = span / 5
      let power = pow(10, floor(log10(rough)))
      let step = [1, 2, 2.5, 5, 10].map { $0 * power }.first { $0 >= rough * 0.999 } ?? power
      end = ceil(span / step - 1e-9) * step
      marks = (0...Int((end / step).rounded())).map { Double($0) * step }
    }
  }

  private static func draw(
    _ panel: Panel, at y: Double, _ horizontal: Axis, _ found: Int, _ steps: [CapacityStep], isLast: Bool
  ) -> [String] {
    let values = panel.curves.flatMap { $0.points.map(\.y) }
    let vertical = Axis(least: panel.least, most: min(panel.most, values.max() ?? 0))
    let right = width - right
    let bottom = y + panelHeight
    func across(_ value: Double) -> Double { left + (right - left) * value / horizontal.end }
    func up(_ value: Double) -> Double { bottom - panelHeight * min(max(value, 0), vertical.end) / vertical.end }
    var parts = [text(left, y - 8, "\(panel.title), \(panel.unit)", size: 13)]
    for mark in vertical.marks {
      parts.append(line(left, up(mark), right, up(mark), "#e3e3e3"))
      parts.append(text(left - 8, up(mark) + 4, label(mark), anchor: "end", colour: "#555555"))
    }
    for mark in horizontal.marks {
      parts.append(line(across(mark), bottom, across(mark), bottom + 5, "#888888"))
      parts.append(text(across(mark), bottom + 18, label(mark), anchor: "middle", colour: "#555555"))
    }
    if isLast {
      parts.append(text((left + right) / 2, bottom + 36, "participants", anchor: "middle", colour: "#555555"))
    }
    if found > 0 { parts.append(line(across(Double(found)), y, across(Double(found)), bottom, "#2e7d32", dash: "2 3")) }
    if let limit = panel.limit, limit <= vertical.end {
      parts.append(line(left, up(limit), right, up(limit), "#c0392b", dash: "6 4"))
      parts.append(text(right + 8, up(limit) + 4, panel.limitName, colour: "#c0392b"))
    }
    for curve in panel.curves where !curve.points.isEmpty {
      let points = curve.points.map { "\(f(across($0.x))),\(f(up($0.y)))" }.joined(separator: " ")
      parts.append("<polyline points=\"\(points)\" fill=\"none\" stroke=\"\(curve.colour)\" stroke-width=\"1.8\"/>")
      for point in curve.points {
        let passed = steps.first { Double($0.participants) == point.x }?.verdict == .passed
        parts.append(
          "<circle cx=\"\(f(across(point.x)))\" cy=\"\(f(up(point.y)))\" r=\"3.2\" stroke=\"\(curve.colour)\" "
            + "fill=\"\(passed ? curve.colour : "#ffffff")\"/>")
      }
    }
    for (index, curve) in panel.curves.enumerated() {
      let place = y + 14 + Double(index) * 18
      parts.append(line(right + 70, place - 4, right + 90, place - 4, curve.colour, thickness: 2))
      parts.append(text(right + 96, place, curve.name))
    }
    parts.append(line(left, y, left, bottom, "#888888"))
    parts.append(line(left, bottom, right, bottom, "#888888"))
    if isLast {
      parts.append(
        text(left, bottom + 52, "filled: passed the gate; hollow: did not; green: the result", colour: "#555555"))
    }
    return parts
  }

  private static func label(_ value: Double) -> String {
    value == value.rounded() ? "\(Int(value))" : String(format: "%g", value)
  }
  private static func f(_ value: Double) -> String { String(format: "%.1f", value) }

  private static func line(
    _ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ colour: String, dash: String? = nil,
    thickness: Double = 1
  ) -> String {
    "<line x1=\"\(f(x1))\" y1=\"\(f(y1))\" x2=\"\(f(x2))\" y2=\"\(f(y2))\" stroke=\"\(colour)\" "
      + "stroke-width=\"\(f(thickness))\"" + (dash.map { " stroke-dasharray=\"\($0)\"" } ?? "") + "/>"
  }

  private static func text(
    _ x: Double, _ y: Double, _ text: String, size: Int = 12, anchor: String = "start", colour: String = "#222222"
  ) -> String {
    let escaped = text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    return "<text x=\"\(f(x))\" y=\"\(f(y))\" font-size=\"\(size)\" text-anchor=\"\(anchor)\" fill=\"\(colour)\">"
      + "\(escaped)</text>"
  }
}
