/// Why a job failed, in words for people and a code for programs. A failed job is a result.
public struct Failure: Error, Equatable, Sendable {
    /// Stable: programs may rely on it. A client reads it as `error.code`.
    public enum Code: String, CaseIterable, Sendable {
        case sqlError = "sql_error"
        case kernelError = "kernel_error"
        /// A program ended otherwise than with 0, or could not be started.
        case exitCode = "exit_code"
        case timeout
        case lost
        case poisoned
        case resultTooLarge = "result_too_large"
        case denied
        /// The database cannot hold the receipt of a job that writes: nothing ran.
        case noReceipt = "no_receipt"
        /// The database holds a receipt of the job for another work: nothing ran.
        case receiptConflict = "receipt_conflict"
        /// The store is damaged: the work is not as it was submitted, and did not run; or the
        /// result of a part is not as it was written.
        case damaged
        case dependencyFailed = "dependency_failed"
        /// The job takes a result that is gone, has not what is taken, or is too large: nothing
        /// ran.
        case noInput = "no_input"
        case cancelled
    }

    public var code: Code
    /// One sentence.
    public var message: String
    /// One sentence: what to do about it.
    public var hint: String?
    /// SQLite's extended result code, for `sql_error`.
    public var sqliteCode: Int?
    /// Byte of the statement where SQLite found the error, from 0.
    public var offset: Int?
    /// For `exit_code`, as shells tell it: 128 and the signal that ended the program, 126 or 127
    /// when it could not be started.
    public var exitCode: Int?
    /// True when another attempt would fail alike: it is not made.
    public var isPermanent: Bool

    public init(_ code: Code, _ message: String, hint: String? = nil, isPermanent: Bool = false) {
        self.code = code
        self.message = message
        self.hint = hint
        self.isPermanent = isPermanent
    }

    /// Characters of a sentence that are kept: what SQL and kernels say may be of any length.
    public static let sentenceLength = 1_000

    /// As it is kept with the job, once for each attempt.
    public var shortened: Failure {
        var failure = self
        failure.message = Self.shortened(message)
        failure.hint = hint.map(Self.shortened)
        return failure
    }

    private static func shortened(_ sentence: String) -> String {
        // Few are long, and bytes are quickly counted.
        guard sentence.utf8.count > sentenceLength else { return sentence }
        let start = sentence.unicodeScalars.prefix(sentenceLength)
        return start.endIndex == sentence.endIndex ? sentence : String(start) + "…"
    }
}
