internal import CSQLite

/// `printf(format, …)` and `format(format, …)` of SQL, which stop as soon as the result would be
/// too long.
///
/// Each directive is written by SQLite itself, one at a time, with its width and precision checked
/// before. Source of the rules: <https://www.sqlite.org/printf.html>.
extension FunctionCall {
    func format() {
        // Like a C string it ends at a zero byte.
        guard let format = bytes(0)?.prefix(while: { $0 != 0 }) else { return }
        // It stops growing at the connection's limit of length.
        let output = sqlite3_str_new(sqlite3_context_db_handle(context))
        defer { sqlite3_free(sqlite3_str_finish(output)) }
        guard let output else { return sqlite3_result_error_nomem(context) }

        var formatter = Formatter(call: self, output: output, longest: longest)
        formatter.write(format)
        switch sqlite3_str_errcode(output) {
        case SQLITE_OK where formatter.isTooLong, SQLITE_TOOBIG: answerTooBig()
        case SQLITE_OK:
            // SQLite's own gives NULL, not empty text.
            guard let start = sqlite3_str_value(output) else { return }
            let count = Int(sqlite3_str_length(output))
            answer(UnsafeRawBufferPointer(start: start, count: count))
        default: sqlite3_result_error_nomem(context)
        }
    }
}

private struct Formatter {
    let call: FunctionCall
    let output: OpaquePointer
    let longest: Int
    /// All widths and precisions so far. They cost time even where, as with `%g`, no such length
    /// remains.
    private var asked = 0
    /// True when a width or precision went past the longest result.
    var isTooLong: Bool { asked > longest }
    private var nextArgument = 1

    init(call: FunctionCall, output: OpaquePointer, longest: Int) {
        self.call = call
        self.output = output
        self.longest = longest
    }

    /// What stands between `%` and the letter.
    private struct Directive {
        var flags: [UInt8] = []
        var width: Int?
        var precision: Int?

        func text(_ ending: String) -> String {
            "%" + String(decoding: flags, as: UTF8.self) + (width.map(String.init) ?? "")
                + (precision.map { ".\($0)" } ?? "") + ending
        }
    }

    mutating func write(_ format: Slice<UnsafeRawBufferPointer>) {
        var rest = format
        while let percent = rest.firstIndex(of: UInt8(ascii: "%")) {
            append(rest[..<percent])
            rest = rest[(percent + 1)...]
            if rest.isEmpty { return append(format.suffix(1)) }  // A last `%` stands for itself.

            let directive = parse(&rest)
            asked += (directive.width ?? 0) + (directive.precision ?? 0)
            guard !isTooLong, let letter = rest.popFirst(), append(directive, letter),
                sqlite3_str_errcode(output) == SQLITE_OK
            else { return }
        }
        append(rest)
    }

    private func append(_ literal: Slice<UnsafeRawBufferPointer>) {
        let bytes = UnsafeRawBufferPointer(rebasing: literal)
        let start = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        sqlite3_str_append(output, start, Int32(clamping: bytes.count))
    }

    private mutating func parse(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Directive {
        var directive = Directive()
        while let byte = rest.first, "-+ #0!,".utf8.contains(byte) {
            // Once is enough, and a flag more would make the directive as long as the format.
            if !directive.flags.contains(byte) { directive.flags.append(byte) }
            rest.removeFirst()
        }
        directive.width = number(&rest)
        if let width = directive.width, width < 0 {
            directive.flags.append(UInt8(ascii: "-"))
            directive.width = width == Int(Int32.min) ? 0 : -width
        }
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            let precision = number(&rest) ?? 0
            directive.precision = precision == Int(Int32.min) ? nil : abs(precision)
        }
        while rest.first == UInt8(ascii: "l") { rest.removeFirst() }
        return directive
    }

    /// Digits, or `*` for the next argument, of which SQLite takes 32 bits.
    private mutating func number(_ rest: inout Slice<UnsafeRawBufferPointer>) -> Int? {
        if rest.first == UInt8(ascii: "*") {
            rest.removeFirst()
            return Int(Int32(truncatingIfNeeded: integer()))
        }
        var number: Int?
        while let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
            number = min((number ?? 0) * 10 + Int(byte - UInt8(ascii: "0")), Int(Int32.max))
            rest.removeFirst()
        }
        return number
    }

    /// False for a letter that SQLite does not know: there the result ends.
    private mutating func append(_ directive: Directive, _ letter: UInt8) -> Bool {
        let ending = String(UnicodeScalar(letter))
        switch ending {
        case "%": csqlite_append_integer(output, directive.text(ending), 0)
        case "n": break
        case "d", "i", "u", "x", "X", "o", "r":
            csqlite_append_integer(output, directive.text("ll" + ending), integer())
        case "p":
            csqlite_append_integer(output, directive.text("llX"), integer())
        case "f", "e", "E", "g", "G":
            csqlite_append_real(output, directive.text(ending), real())
        case "c":
            csqlite_append_character(output, directive.text(ending), character())
        case "s", "q", "Q", "w":
            csqlite_append_text(output, directive.text(ending), text())
        case "z":  // In C it would free the text.
            csqlite_append_text(output, directive.text("s"), text())
        default: return false
        }
        return true
    }

    private mutating func next() -> OpaquePointer? {
        defer { nextArgument += 1 }
        return call.argument(nextArgument)
    }

    private mutating func integer() -> Int64 { next().map { sqlite3_value_int64($0) } ?? 0 }
    private mutating func real() -> Double { next().map { sqlite3_value_double($0) } ?? 0 }

    private mutating func text() -> UnsafePointer<UInt8>? {
        next().flatMap { sqlite3_value_text($0) }
    }

    private mutating func character() -> UInt32 {
        guard let text = text() else { return 0 }
        // No further than the zero byte at the end of the text.
        let length = (0..<4).first { text[$0] == 0 } ?? 4
        let bytes = UnsafeBufferPointer(start: text, count: length)
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.first?.value ?? 0
    }
}
