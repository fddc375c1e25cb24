internal import JobWire
internal import SQLite

/// The databases that rows D to H read and change, made by the bench.
struct BenchTables {
    private let rowsPath: String
    private let booksPath: String

    /// As `--database` takes them.
    var databases: [String] { ["rows=\(rowsPath)", "books=\(booksPath):write"] }

    /// Rows of the table that is written.
    private static let accounts = 10_000

    init(in directory: String, rows: Int) throws {
        rowsPath = directory + "/rows.db"
        booksPath = directory + "/books.db"
        try Self.make(
            rowsPath,
            """
            CREATE TABLE readings (
                id INTEGER PRIMARY KEY, station INTEGER NOT NULL, level REAL NOT NULL,
                name TEXT NOT NULL, day TEXT NOT NULL, note TEXT NOT NULL
            ) STRICT;
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(rows))
            INSERT INTO readings
            SELECT i, i % 1000, i * 0.25, 'reading ' || i,
                   date('2020-01-01', (i % 2000) || ' days'), 'measured by hand at the weir'
              FROM n;
            """
        )
        try Self.make(
            booksPath,
            """
            CREATE TABLE accounts (id INTEGER PRIMARY KEY, bookings INTEGER NOT NULL) STRICT;
            WITH RECURSIVE n(i) AS
                (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < \(Self.accounts))
            INSERT INTO accounts SELECT i, 0 FROM n;
            """
        )
    }

    private static func make(_ path: String, _ script: String) throws(BenchError) {
        do throws(SQLiteError) {
            let connection = try Connection(path: path, mode: .create)
            try connection.execute(script: "PRAGMA journal_mode = WAL;")
            try connection.transaction { () throws(SQLiteError) in
                try connection.execute(script: script)
            }
        } catch {
            throw .system(action: "make \(path)", reason: error.message)
        }
    }

    /// Writes that had their effect, all in all.
    func bookings() throws -> Int {
        let connection = try Connection(path: booksPath, mode: .readOnly)
        guard
            case .integer(let sum)? = try connection.row("SELECT sum(bookings) FROM accounts")?
                .first
        else { return 0 }
        return Int(sum)
    }

    static func lookups(_ count: Int, of rows: Int) -> BenchJobs {
        let columns = "id, station, level, name, day, note"
        let ids = chosen(count, upTo: rows)
        return BenchJobs(
            count: count,
            members: { number in
                #""sql":"SELECT \#(columns) FROM readings WHERE id = ?","#
                    + #""params":[\#(ids[number])],"database":"rows""#
            },
            isRight: { number, bytes in
                guard let rows = try? JSON(parsing: bytes)["rows"]?.arrayValue, rows.count == 1,
                    let row = rows[0].arrayValue, row.count == 6
                else { return false }
                return row[0].integerValue == Int64(ids[number])
                    && row[3].stringValue == "reading \(ids[number])"
            }
        )
    }

    /// Rows that follow each other, of all columns.
    static func ranges(_ count: Int, of rows: Int) -> BenchJobs {
        let ids = chosen(count, upTo: rows - rangeRows + 1)
        return BenchJobs(
            count: count,
            members: { number in
                #""sql":"SELECT * FROM readings WHERE id BETWEEN ? AND ?","#
                    + #""params":[\#(ids[number]),\#(ids[number] + rangeRows - 1)],"#
                    + #""database":"rows""#
            },
            isRight: { number, bytes in
                guard let rows = try? JSON(parsing: bytes)["rows"]?.arrayValue,
                    rows.count == rangeRows
                else { return false }
                return rows.enumerated().allSatisfy { place, row in
                    row.arrayValue?.first?.integerValue == Int64(ids[number] + place)
                }
            }
        )
    }

    static let rangeRows = 1_000

    static func writes(_ count: Int) -> BenchJobs {
        let ids = chosen(count, upTo: accounts)
        return BenchJobs(
            count: count,
            members: { number in
                #""sql":"UPDATE accounts SET bookings = bookings + 1 WHERE id = ?","#
                    + #""params":[\#(ids[number])],"database":"books","mode":"write""#
            },
            isRight: { _, bytes in
                (try? JSON(parsing: bytes))?["changes"]?.integerValue == 1
            }
        )
    }

    /// Reads every row, and no index can help.
    static let scan =
        "SELECT station % 7, count(*), sum(level), max(name) FROM readings "
        + "WHERE note LIKE '%weir%' AND id <> ? GROUP BY 1"

    private static func chosen(_ count: Int, upTo highest: Int) -> [Int] {
        var random = SeededNumbers(seed: 4)
        return (0..<count).map { _ in random.below(highest) + 1 }
    }
}
