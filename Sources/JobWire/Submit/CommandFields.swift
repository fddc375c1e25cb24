internal import JobCore

// What a job may say of a command: its words, the variables of its environment, and its input.

/// The words of a command, its program first.
func commandWords(_ value: JSON) throws(Refusal) -> [String] {
    var words: [String] = []
    for element in try value.list("command", count: Limits.commandWords) {
        let least = words.isEmpty ? 1 : 0
        words.append(try element.commandText("command[\(words.count)]", least: least))
    }
    return words
}

/// The variables that a command is given beside, or instead of, those that every command has.
func commandEnvironment(_ value: JSON) throws(Refusal) -> JSONObject {
    guard case .object(let object) = value else {
        throw .wrongType("env", wants: "an object", found: value)
    }
    guard object.count <= Limits.variables else {
        throw .outOfBounds("env", "an object of at most \(Limits.variables) variables")
    }
    for member in object.members {
        let name = "env.\(String(member.key.unicodeScalars.prefix(60)))"
        guard !member.key.isEmpty, !member.key.utf8.contains(where: isNoNameByte) else {
            throw .invalid(
                name,
                "\(quoted(member.key)) is no name of a variable.",
                hint: "It must not be empty, and have neither = nor a zero byte."
            )
        }
        guard !bringsCode(member.key) else {
            throw Refusal(
                403,
                "denied",
                "A job may not give its command the variable \(quoted(member.key)).",
                hint: "By it, any code could be loaded into the program.",
                field: name
            )
        }
        _ = try member.value.commandText(name, besides: member.key.utf8.count + 1)
    }
    return object
}

/// - Returns: Nil when a command can be given this on its standard input.
func problem(ofInput value: JSON) -> Refusal? {
    switch value {
    case .null, .string: return nil
    case .object(let object) where object.frameNumber != nil: return nil
    default:
        return .wrongType("input", wants: "a string or {\"$frame\": n}", found: value)
    }
}

private func isNoNameByte(_ byte: UInt8) -> Bool { byte == 0 || byte == UInt8(ascii: "=") }

/// Variables by which the C library, a shell or an interpreter runs or loads what they say or name:
/// see ld.so(8), iconv(3), bash(1), and what sudo(8) takes out of an environment. The settings
/// allow programs, and not whatever somebody makes of them; a script above all, which is allowed
/// because it does one thing.
private func bringsCode(_ name: String) -> Bool {
    codeVariables.contains(name) || codePrefixes.contains(where: name.hasPrefix)
}

private let codePrefixes = ["LD_", "BASH_FUNC_", "LUA_"]

private let codeVariables: Set<String> = [
    // The C library.
    "GCONV_PATH", "GLIBC_TUNABLES", "LOCPATH", "NLSPATH", "HOSTALIASES", "LOCALDOMAIN",
    "RES_OPTIONS", "TERMCAP", "TERMINFO", "TERMINFO_DIRS", "TERMPATH",
    // Shells.
    "BASH_ENV", "BASHOPTS", "CDPATH", "ENV", "FPATH", "GLOBIGNORE", "IFS", "NULLCMD", "PS4",
    "READNULLCMD", "SHELLOPTS", "TMPPREFIX", "ZDOTDIR",
    // Interpreters.
    "AWKLIBPATH", "AWKPATH", "CLASSPATH", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS", "NODE_OPTIONS", "NODE_PATH", "PERL5DB", "PERL5LIB", "PERL5OPT",
    "PERLIO_DEBUG", "PERLLIB", "PHPRC", "PHP_INI_SCAN_DIR", "PYTHONBREAKPOINT", "PYTHONHOME",
    "PYTHONINSPECT", "PYTHONPATH", "PYTHONPLATLIBDIR", "PYTHONSTARTUP", "PYTHONUSERBASE",
    "PYTHONWARNINGS", "RUBYLIB", "RUBYOPT",
]

extension JSON {
    /// What can be a word of a command, or with `besides` bytes before it a variable.
    fileprivate func commandText(
        _ field: String,
        least: Int = 0,
        besides: Int = 0
    ) throws(Refusal) -> String {
        let most = max(Limits.wordBytes - besides, least)
        let text = try text(field, bytes: least...most)
        guard !text.utf8.contains(0) else {
            throw .invalid(field, "\(field) has a zero byte, which no word of a command can have.")
        }
        return text
    }
}
