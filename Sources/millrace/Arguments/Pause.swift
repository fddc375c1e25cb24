internal import ArgumentParser
internal import JobWire

/// A duration on the command line: `10m`, `90s`, `500ms`, `2h`, `7d`; a bare number is seconds.
struct Pause: Equatable, ExpressibleByArgument {
    let ms: Int64

    static let none = Pause(ms: 0)
    static let second = Pause(ms: 1_000)

    private init(ms: Int64) { self.ms = ms }

    init?(argument: String) {
        guard let ms = WrittenDuration.milliseconds(argument, bare: .seconds) else { return nil }
        self.ms = ms
    }

    var duration: Duration { .milliseconds(ms) }
}
