internal import JobCore

/// The rows of values that a job runs its statement with. They stay in the bytes that the job has
/// of them, and are read one by one, as often as somebody asks: there may be a million.
public struct EachRows: Equatable, Sendable {
    private enum Source: Equatable, Sendable {
        /// An array in the job's body, which may refer to frames.
        case json([UInt8], Range<Int>, [Spec.Frame])
        case csv([UInt8])
    }

    private let source: Source

    /// Reads the member `each` that stands in this part of a job's body.
    init(_ body: [UInt8], in range: Range<Int>, _ frames: [Spec.Frame]) throws(FrameError) {
        if body[range].first == UInt8(ascii: "[") {
            source = .json(body, range, frames)
            return
        }
        guard let number = (try? JSON(parsing: body, in: range))?.objectValue?.frameNumber,
            let csv = frames.first(where: { $0.number == number })?.bytes
        else { throw FrameError("each is neither an array nor a CSV") }
        source = .csv(csv)
    }

    /// From the first row on.
    public func reader() throws(FrameError) -> Reader {
        switch source {
        case .json(let body, let range, let frames):
            do throws(JSONError) {
                var scanner = try JSONScanner(body, in: range)
                try scanner.enterArray()
                return Reader(json: scanner, frames)
            } catch {
                throw FrameError(error.summary)
            }
        case .csv(let bytes):
            do { return Reader(csv: try CSVReader(bytes)) } catch {
                throw FrameError(error.summary)
            }
        }
    }

    /// Reads rows from the first to the last.
    public struct Reader {
        /// The names that a CSV gives to its columns; nil where each row is an array or an object.
        public let columns: [String]?
        /// Which columns of a CSV are wanted, by their places, in this order; nil is all.
        public var picked: [Int]?

        private var json: JSONScanner?
        private var csv: CSVReader?
        private let frames: [Spec.Frame]

        fileprivate init(json: JSONScanner, _ frames: [Spec.Frame]) {
            self.json = json
            self.frames = frames
            columns = nil
        }

        fileprivate init(csv: CSVReader) {
            self.csv = csv
            frames = []
            columns = csv.columns
        }

        /// - Returns: The values of the next row, or nil at the end.
        public mutating func next() throws(FrameError) -> StatementValues? {
            guard csv == nil else {
                return try fields().map { row in
                    .list(picked.map { $0.map { row[$0] } } ?? row)
                }
            }
            return try element().map { (row) throws(FrameError) in
                try StatementValues(row, frames)
            }
        }

        private mutating func fields() throws(FrameError) -> [SQLValue]? {
            do { return try csv?.next() } catch { throw FrameError(error.summary) }
        }

        private mutating func element() throws(FrameError) -> JSON? {
            do {
                if try json?.nextElement() == true { return try json?.value() }
            } catch {
                throw FrameError(error.summary)
            }
            json = nil
            return nil
        }
    }
}
