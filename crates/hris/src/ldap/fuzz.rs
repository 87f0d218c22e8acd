//! What of LDAP is fuzzed: messages of a server, filters of a connection, names and values of entries.

use super::syntax::Syntax;
use super::{ber, dn, filter, message};

/// Whatever a server sends, whatever stands in a filter, a name or a value.
pub fn ldap(bytes: &[u8]) {
    if let Ok(Some((head, length))) = ber::size(bytes) {
        let _ = bytes.get(..head.saturating_add(length)).map(message::read);
    }
    for syntax in [
        Syntax::Text,
        Syntax::Guid,
        Syntax::ExpiryFileTime,
        Syntax::ExpiryDays,
        Syntax::Time,
        Syntax::Dn,
        Syntax::Bit(2),
    ] {
        let _ = syntax.read(bytes);
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(filter) = filter::encode(text) {
        assert!(ber::Reader(&filter).any().is_ok(), "a filter is one element");
    }
    if let Some(name) = dn::canonical(text) {
        assert_eq!(dn::canonical(&name), Some(name), "one spelling is one spelling");
    }
}
