internal import CSQLite

/// Takes the place of SQLite functions of which one call can run for hours.
///
/// No interrupt reaches into a call. The originals of instr, replace and trim take the product of
/// their arguments' lengths, printf runs on long after its result is too long, and json_patch takes
/// the product of two objects' sizes; FTS5's snippet takes the square of the matches in a text.
/// These give the same results in time linear in the lengths or, json_patch and snippet, refuse.
/// The authorizer alone would not do: it is not asked about the expression of a generated column
/// that ALTER TABLE adds, nor about `rank MATCH 'snippet(…)'`.
enum BoundedFunctions {
    typealias Body =
        @convention(c) (OpaquePointer?, Int32, UnsafeMutablePointer<OpaquePointer?>?) -> Void

    static func register(on handle: Handle) throws(SQLiteError) {
        let functions: [(name: String, arguments: Int32, body: Body)] = [
            ("instr", 2, { FunctionCall($0, $1, $2)?.find() }),
            ("replace", 3, { FunctionCall($0, $1, $2)?.replace() }),
            ("printf", -1, { FunctionCall($0, $1, $2)?.format() }),
            ("format", -1, { FunctionCall($0, $1, $2)?.format() }),
            ("trim", 1, { FunctionCall($0, $1, $2)?.trim(.both) }),
            ("trim", 2, { FunctionCall($0, $1, $2)?.trim(.both) }),
            ("ltrim", 1, { FunctionCall($0, $1, $2)?.trim(.start) }),
            ("ltrim", 2, { FunctionCall($0, $1, $2)?.trim(.start) }),
            ("rtrim", 1, { FunctionCall($0, $1, $2)?.trim(.end) }),
            ("rtrim", 2, { FunctionCall($0, $1, $2)?.trim(.end) }),
            ("json_patch", 2, { FunctionCall($0, $1, $2)?.refuse() }),
        ]
        let properties = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS
        for (name, arguments, body) in functions {
            let code = sqlite3_create_function_v2(
                handle.pointer,
                name,
                arguments,
                properties,
                nil,
                body,
                nil,
                nil,
                nil
            )
            guard code == SQLITE_OK else { throw handle.error(code, in: "") }
        }
        let code = csqlite_refuse_fts5(handle.pointer, "snippet")
        guard code == SQLITE_OK else { throw handle.error(code, in: "") }
    }
}

/// One call of a function from SQL: its arguments and the place for its result.
struct FunctionCall {
    let context: OpaquePointer
    private let arguments: UnsafeMutableBufferPointer<OpaquePointer?>

    init?(_ context: OpaquePointer?, _ count: Int32, _ start: UnsafeMutablePointer<OpaquePointer?>?)
    {
        guard let context else { return nil }
        self.context = context
        arguments = UnsafeMutableBufferPointer(start: start, count: Int(count))
    }

    var count: Int { arguments.count }
    /// The longest result, in bytes.
    var longest: Int {
        Int(sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1))
    }

    /// The argument as it came; nil when there is none.
    func argument(_ place: Int) -> OpaquePointer? {
        arguments.indices.contains(place) ? arguments[place] : nil
    }

    func isBlob(_ place: Int) -> Bool {
        argument(place).map { sqlite3_value_type($0) == SQLITE_BLOB } ?? false
    }

    /// The bytes of an argument, nil for NULL.
    func bytes(_ place: Int) -> UnsafeRawBufferPointer? {
        guard let value = argument(place), sqlite3_value_type(value) != SQLITE_NULL else {
            return nil
        }
        let start =
            isBlob(place)
            ? sqlite3_value_blob(value) : UnsafeRawPointer(sqlite3_value_text(value))
        let count = Int(sqlite3_value_bytes(value))
        return UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
    }

    func answer(_ text: UnsafeRawBufferPointer) {
        let empty: StaticString = ""
        let start = text.baseAddress ?? UnsafeRawPointer(empty.utf8Start)
        csqlite_result_text(context, start, UInt64(text.count))
    }

    func answerTooBig() { sqlite3_result_error_toobig(context) }

    func refuse() {
        sqlite3_result_error(context, "this function is not allowed in a SQL job", -1)
        sqlite3_result_error_code(context, SQLITE_AUTH)
    }
}

extension FunctionCall {
    /// `instr(text, part)`: the place of the first character of the part, from 1, or 0. Of two
    /// blobs the place of the first byte.
    func find() {
        guard let whole = bytes(0), let part = bytes(1) else { return }

        sqlite3_result_int64(
            context,
            Int64(place(of: part, in: whole, isText: !(isBlob(0) && isBlob(1))))
        )
    }

    private func place(
        of part: UnsafeRawBufferPointer,
        in whole: UnsafeRawBufferPointer,
        isText: Bool
    ) -> Int {
        if part.isEmpty { return 1 }
        // A part that starts inside a character can only be found at the very start.
        let found =
            isText && isContinuation(part[0])
            ? (whole.starts(with: part) ? 0 : nil) : whole.offset(of: part)
        guard let found, found > 0 else { return found == nil ? 0 : 1 }

        return isText ? 1 + whole[1...found].count { !isContinuation($0) } : found + 1
    }

    /// `replace(text, part, other)`.
    func replace() {
        guard let whole = bytes(0), let part = bytes(1) else { return }
        // SQLite's own does so too.
        if part.isEmpty || part[0] == 0 {
            return isBlob(0) ? answer(whole) : sqlite3_result_value(context, argument(0))
        }
        guard let other = bytes(2) else { return }

        let longest = longest
        var result: [UInt8] = []
        var copied = 0
        while let found = UnsafeRawBufferPointer(rebasing: whole[copied...]).offset(of: part) {
            result += whole[copied..<copied + found]
            result += other
            copied += found + part.count
            guard result.count <= longest else { return answerTooBig() }
        }
        result += whole[copied...]
        result.withUnsafeBytes { answer($0) }
    }

    enum Side { case start, end, both }

    /// `trim(text)`, `trim(text, characters)`.
    func trim(_ side: Side) {
        guard let whole = bytes(0) else { return }
        var trimmed = CharacterBytes()
        if count == 1 {
            trimmed.insert([0x20])
        } else {
            guard let characters = bytes(1) else { return }
            trimmed.insert(all: characters)
        }
        var kept = whole[...]
        while side != .end, let length = trimmed.lengthAtStart(of: kept) {
            kept.removeFirst(length)
        }
        while side != .start, let length = trimmed.lengthAtEnd(of: kept) { kept.removeLast(length) }
        answer(UnsafeRawBufferPointer(rebasing: kept))
    }
}

/// A set of characters by their UTF-8 bytes. More than four bytes are no character and left out.
private struct CharacterBytes {
    private var single = [Bool](repeating: false, count: 256)
    /// Two to four bytes, packed, with the length in front.
    private var longer = Set<UInt64>()

    mutating func insert(_ bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 1: for byte in bytes { single[Int(byte)] = true }
        case 2...4: longer.insert(packed(bytes))
        default: break
        }
    }

    mutating func insert(all text: UnsafeRawBufferPointer) {
        var start = 0
        // As in SQLite's own, a zero byte ends the list.
        while start < text.count, text[start] != 0 {
            var end = start + 1
            if text[start] >= 0xC0 {
                while end < text.count, isContinuation(text[end]) { end += 1 }
            }
            insert(text[start..<end])
            start = end
        }
    }

    func lengthAtStart(of text: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let first = text.first else { return nil }
        if single[Int(first)] { return 1 }
        guard first >= 0xC0, !longer.isEmpty else { return nil }
        return (2...4).first { $0 <= text.count && longer.contains(packed(text.prefix($0))) }
    }

    func lengthAtEnd(of text: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard let last = text.last else { return nil }
        if single[Int(last)] { return 1 }
        guard last >= 0x80, !longer.isEmpty else { return nil }
        return (2...4).first { $0 <= text.count && longer.contains(packed(text.suffix($0))) }
    }

    private func packed(_ bytes: some Collection<UInt8>) -> UInt64 {
        bytes.reduce(UInt64(bytes.count)) { $0 << 8 | UInt64($1) }
    }
}

private func isContinuation(_ byte: UInt8) -> Bool { byte & 0xC0 == 0x80 }

extension UnsafeRawBufferPointer {
    /// Where the part is found first. glibc searches in time linear in both lengths.
    fileprivate func offset(of part: UnsafeRawBufferPointer) -> Int? {
        guard let start = baseAddress, let sought = part.baseAddress,
            let found = memmem(start, count, sought, part.count)
        else { return nil }
        return UnsafeRawPointer(found) - start
    }
}
