/// One parameter of a statement.
public enum SQLValue: Equatable, Sendable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

extension SQLValue {
    /// `{"base64": …}` or `{"real": …}`; nil when it is neither.
    init?(wrapped object: JSONObject) {
        guard object.count == 1, let member = object.members.first,
            case .string(let text) = member.value
        else { return nil }
        switch (member.key, text) {
        case ("base64", _):
            guard let bytes = Base64.decode(text) else { return nil }
            self = .blob(bytes)
        case ("real", "inf"): self = .real(.infinity)
        case ("real", "-inf"): self = .real(-.infinity)
        default: return nil
        }
    }
}
