//! What the codes mean by which a directory ends a request (RFC 4511, section 4.1.9). Only success is an answer.

use domain::employee::{Directory, Failure};

pub(super) const SUCCESS: u32 = 0;

/// Why nobody was signed in.
pub(super) fn of_sign_in(code: u32) -> Failure {
    Failure::Unauthorised(match code {
        7 => "the server does not take this way of signing in (7)".to_owned(),
        8 | 13 => "the server asks for a stronger way of signing in, or for more than TLS (8 or 13)".to_owned(),
        48 => "the server does not let this account sign in so (48)".to_owned(),
        49 => "the name or the password is wrong, or the account is locked or has expired (49)".to_owned(),
        _ => return of_search(code),
    })
}

/// Why a search, or what came before it, has no whole answer.
pub(super) fn of_search(code: u32) -> Failure {
    match code {
        3 => Failure::Directory(Directory::TimeLimit),
        4 => Failure::Directory(Directory::SizeLimit),
        9 | 10 => Failure::Directory(Directory::Elsewhere),
        11 => Failure::Directory(Directory::AdminLimit),
        12 => Failure::WrongFormat("the server has no paged search (12, RFC 2696)".to_owned()),
        32 => Failure::Missing("the entry source.ldap.base, or it is not shown to this account (32)".to_owned()),
        34 => Failure::WrongFormat("the server cannot read source.ldap.base as a name (34)".to_owned()),
        50 => Failure::Forbidden,
        51 | 52 => Failure::Directory(Directory::Unavailable),
        53 => Failure::Unauthorised("the server is unwilling to do this for this account (53)".to_owned()),
        code => Failure::Status(u16::try_from(code).unwrap_or(u16::MAX)),
    }
}
