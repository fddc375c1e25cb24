internal import Glibc

/// How long a test waits for what must happen: ten times more than a loaded machine needs.
public let patience = Duration.seconds(30)

/// What a test waited for has not happened.
public struct NeverHappened: Error, CustomStringConvertible {
    public let description: String

    public init(_ what: String) { description = "It never happened: \(what)" }
}

/// Asks again and again until there is an answer.
///
/// The only place where tests look at a clock. What can be waited for, such as a message, should
/// be waited for instead.
/// `what` is a sentence for the error; `probe` gives nil while the answer is not there yet.
public func eventually<Value>(
    _ what: @autoclosure () -> String,
    within limit: Duration = patience,
    _ probe: () throws -> Value?
) throws -> Value {
    let deadline = ContinuousClock.now + limit
    while true {
        if let value = try probe() { return value }
        guard ContinuousClock.now < deadline else { throw NeverHappened(what()) }
        usleep(5_000)
    }
}

/// Lets a drawn time pass, so that a fault falls at a moment that nobody chose. Not for waiting:
/// whoever waits for something says for what, by `eventually`.
public func letPass(microseconds: UInt32) { usleep(microseconds) }
