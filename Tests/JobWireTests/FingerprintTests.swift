import JobCore
import JobWire
import Testing

/// When two submissions are the same.
struct FingerprintTests {
    private func fingerprint(_ text: String, frames: [[UInt8]] = []) throws -> UInt64 {
        try submission(text, frames: frames).fingerprint
    }

    @Test func `the order of fields, white space and escapes do not matter`() throws {
        let one = try fingerprint(
            #"{"kernel":"sum","input":{"a":1,"b":[1,2],"c":"A"},"queue":"q","key":"k"}"#
        )
        let other = try fingerprint(
            #"{ "key":"k", "queue":"q","input":{"c":"\u0041", "b":[1, 2],"a":1},"kernel":"sum" }"#
        )
        #expect(one == other)
    }

    @Test func `who asks and how long they wait does not matter`() throws {
        func of(_ body: String) throws -> UInt64 {
            guard case .submit(let jobs, _, _)? = request("job.submit", body) else { return 0 }
            return try #require(jobs.first).fingerprint
        }
        let plain = try of(#"{"sql":"a"}"#)
        #expect(try of(#"{"sql":"a","wait_ms":5,"request":"r"}"#) == plain)
        #expect(try of(#"{"jobs":[{"sql":"a"}]}"#) == plain)
    }

    @Test func `every change of a field matters`() throws {
        let variants = [
            #"{"sql":"a"}"#, #"{"sql":"b"}"#, #"{"sql":"a","kind":"sql"}"#,
            #"{"sql":"a","params":[]}"#, #"{"sql":"a","params":{}}"#,
            #"{"sql":"a","params":[1]}"#, #"{"sql":"a","params":[1.0]}"#,
            #"{"sql":"a","params":["1"]}"#, #"{"sql":"a","params":[true]}"#,
            #"{"sql":"a","params":[null]}"#, #"{"sql":"a","params":[1,2]}"#,
            #"{"sql":"a","params":[2,1]}"#, #"{"sql":"a","params":[12]}"#,
            #"{"sql":"a","params":["ab","c"]}"#, #"{"sql":"a","params":["a","bc"]}"#,
            #"{"sql":"a","params":{"x":1}}"#, #"{"sql":"a","params":{"y":1}}"#,
            #"{"sql":"a","database":"sales"}"#, #"{"sql":"a","mode":"write"}"#,
            #"{"sql":"a","mode":"read"}"#, #"{"sql":"a","format":"csv"}"#,
            #"{"sql":"a","queue":"x"}"#, #"{"sql":"a","priority":1}"#,
            #"{"sql":"a","priority":2}"#, #"{"sql":"a","ready_at":1}"#,
            #"{"sql":"a","delay_ms":1}"#, #"{"sql":"a","timeout_ms":1}"#,
            #"{"sql":"a","max_attempts":1}"#, #"{"sql":"a","backoff":{"first_ms":1}}"#,
            #"{"sql":"a","backoff":{"longest_ms":1}}"#, #"{"sql":"a","key":"x"}"#,
            #"{"sql":"a","name":"x"}"#, #"{"sql":"a","tags":["x"]}"#,
            #"{"sql":"a","tags":["x","y"]}"#, #"{"sql":"a","keep_ms":1}"#,
            #"{"kernel":"sum"}"#, #"{"kernel":"echo"}"#, #"{"kernel":"sum","input":null}"#,
            #"{"kernel":"sum","input":[[],[1]]}"#, #"{"kernel":"sum","input":[[1],[]]}"#,
            #"{"kernel":"sum","input":{"a":{"b":1}}}"#, #"{"kernel":"sum","input":{"b":{"a":1}}}"#,
            #"{"kernel":"sum","parts":2}"#, #"{"kernel":"sum","input":[{"\t":1},{"b":2}]}"#,
            #"{"kernel":"sum","input":[{"\t":1,"\nb":2}]}"#,
            #"{"kernel":"sum","input":[{"a":1},{"b":2}]}"#,
            #"{"kernel":"sum","input":[{"a":1,"\nb":2}]}"#,
            #"{"kernel":"sum","input":[{"a":1,"\u000bb":2}]}"#,
            #"{"kernel":"sum","input":[{"a":1,"":2}]}"#,
        ]
        let found = Set(try variants.map { try fingerprint($0) })
        #expect(found.count == variants.count)
    }

    @Test func `frames count by what they hold`() throws {
        let body = #"{"kernel":"echo","input":{"$frame":2}}"#
        let one = try fingerprint(body, frames: [[1, 2, 3]])
        #expect(try fingerprint(body, frames: [[1, 2, 3]]) == one)
        #expect(try fingerprint(body, frames: [[1, 2, 4]]) != one)
        #expect(try fingerprint(body, frames: [[]]) != one)
    }

    /// Both are stored: another value would make every known job look new. The numbers were
    /// reckoned by another program from the description of `Digest`.
    @Test func `the hashes never change`() throws {
        let found = try submission(
            #"{"sql":"select ?1","params":[1,2.5,"x",null,true,{"base64":"AAE="}],"key":"k"}"#
        )
        #expect(found.fingerprint == 12_605_510_073_985_417_933)
        #expect(found.spec.sort == 12_601_989_878_208_739_636)
    }

    @Test func `jobs of one statement on one database are of one sort`() throws {
        func sort(_ text: String) throws -> UInt64 { try submission(text).spec.sort }
        let one = try sort(#"{"sql":"a","params":[1]}"#)
        #expect(try sort(#"{"sql":"a","params":[2],"queue":"q","kind":"sql"}"#) == one)
        #expect(try sort(#"{"sql":"b"}"#) != one)
        #expect(try sort(#"{"sql":"a","database":"sales"}"#) != one)
        let sum = try sort(#"{"kernel":"sum","input":1}"#)
        #expect(try sort(#"{"kernel":"sum","input":2}"#) == sum)
        #expect(try sort(#"{"kernel":"echo"}"#) != sum)
    }
}
