//! The few messages of LDAP (RFC 4511) that a reader sends and understands. None of those that are sent changes anything in a
//! directory.
//!
//! What a server says in words is not read: it may name people.

use super::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTETS, Reader, SEQUENCE, SET, Unreadable, element, number, of};

const PAGED: &str = "1.2.840.113556.1.4.319"; // RFC 2696
const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3"; // RFC 4532
/// Most values of one attribute that are looked at; the first is read.
const MOST_VALUES: usize = 10_000;

/// How far below the base is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everything below it.
    Subtree,
    /// What lies in it, and nothing below that.
    OneLevel,
}

/// What is searched.
pub(super) struct Search<'a> {
    pub(super) base: &'a str,
    pub(super) scope: Scope,
    pub(super) filter: &'a [u8],
    pub(super) attributes: &'a [String],
    pub(super) page_size: u32,
    /// Controls without a value, by their numbers. A server that does not know them leaves them aside.
    pub(super) controls: &'a [String],
}

/// Signs in by a name and a password.
pub(super) fn bind(id: u32, dn: &str, password: &str) -> Vec<u8> {
    let login = [number(INTEGER, 3), element(OCTETS, dn.as_bytes()), element(0x80, password.as_bytes())];
    message(id, of(0x60, &login), &[])
}

/// Signs in by the certificate that TLS has shown (SASL EXTERNAL).
pub(super) fn bind_external(id: u32) -> Vec<u8> {
    let login = [number(INTEGER, 3), element(OCTETS, b""), of(0xa3, &[element(OCTETS, b"EXTERNAL")])];
    message(id, of(0x60, &login), &[])
}

/// Asks for TLS.
pub(super) fn start_tls(id: u32) -> Vec<u8> {
    extended(id, START_TLS)
}

/// Asks as whom we are signed in.
pub(super) fn who_am_i(id: u32) -> Vec<u8> {
    extended(id, WHO_AM_I)
}

fn extended(id: u32, name: &str) -> Vec<u8> {
    message(id, of(0x77, &[element(0x80, name.as_bytes())]), &[])
}

/// Says goodbye.
pub(super) fn unbind(id: u32) -> Vec<u8> {
    message(id, element(0x42, b""), &[])
}

/// Asks for the next page; the first one has no cookie.
pub(super) fn search(id: u32, search: &Search<'_>, cookie: &[u8]) -> Vec<u8> {
    let scope = match search.scope {
        Scope::OneLevel => 1,
        Scope::Subtree => 2,
    };
    let attributes: Vec<_> = search.attributes.iter().map(|name| element(OCTETS, name.as_bytes())).collect();
    let asked = [
        element(OCTETS, search.base.as_bytes()),
        number(ENUMERATED, scope),
        number(ENUMERATED, 0), // aliases are not followed
        number(INTEGER, 0),    // no limit of ours: a part of the answer is none
        number(INTEGER, 0),
        element(BOOLEAN, &[0]),
        search.filter.to_vec(),
        of(SEQUENCE, &attributes),
    ];
    let page = of(SEQUENCE, &[number(INTEGER, search.page_size), element(OCTETS, cookie)]);
    let paged = [element(OCTETS, PAGED.as_bytes()), element(BOOLEAN, &[0xff]), element(OCTETS, &page)];
    let others = search.controls.iter().map(|oid| of(SEQUENCE, &[element(OCTETS, oid.as_bytes())]));
    let controls: Vec<_> = std::iter::once(of(SEQUENCE, &paged)).chain(others).collect();
    message(id, of(0x63, &asked), &controls)
}

fn message(id: u32, operation: Vec<u8>, controls: &[Vec<u8>]) -> Vec<u8> {
    let mut parts = vec![number(INTEGER, id), operation];
    if !controls.is_empty() {
        parts.push(of(0xa0, controls));
    }
    of(SEQUENCE, &parts)
}

/// What a server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// How a sign-in ended.
    Bound(u32),
    /// Somebody who was found.
    Found(Entry),
    /// That more may be found elsewhere.
    Elsewhere,
    /// How a search ended, and where the next page begins: an empty cookie where there is none. No cookie at all where the server says
    /// nothing of pages.
    Searched(u32, Option<Vec<u8>>),
    /// How something else ended, and what came of it.
    Done(u32, Option<Vec<u8>>),
}

/// One entry of a directory.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) dn: String,
    /// Each attribute, its first value and how many there are.
    pub(super) attributes: Vec<(String, Vec<u8>, usize)>,
}

/// Reads a message: which request it answers, and what it says. None where it is of a kind that says nothing of people.
pub(super) fn read(bytes: &[u8]) -> Result<(u32, Option<Said>), Unreadable> {
    let mut parts = Reader(Reader(bytes).next(SEQUENCE)?);
    let id = parts.number(INTEGER)?;
    let (tag, content) = parts.any()?;
    let mut body = Reader(content);
    let said = match tag {
        0x61 => Said::Bound(outcome(&mut body)?),
        0x64 => Said::Found(entry(body)?),
        0x65 => {
            let code = outcome(&mut body)?;
            Said::Searched(code, parts.perhaps(0xa0)?.map(cookie).transpose()?.flatten())
        }
        0x73 => Said::Elsewhere,
        0x78 => {
            let code = outcome(&mut body)?;
            body.perhaps(0x8a)?;
            Said::Done(code, body.perhaps(0x8b)?.map(<[u8]>::to_vec))
        }
        _ => return Ok((id, None)),
    };
    Ok((id, Some(said)))
}

/// The code by which something ended.
fn outcome(body: &mut Reader<'_>) -> Result<u32, Unreadable> {
    let code = body.number(ENUMERATED)?;
    body.next(OCTETS)?;
    body.next(OCTETS)?;
    body.perhaps(0xa3)?;
    body.perhaps(0x87)?;
    Ok(code)
}

fn entry(mut body: Reader<'_>) -> Result<Entry, Unreadable> {
    let dn = text(body.next(OCTETS)?)?;
    let mut list = Reader(body.next(SEQUENCE)?);
    let mut attributes = Vec::new();
    while !list.ended() {
        let mut attribute = Reader(list.next(SEQUENCE)?);
        let name = text(attribute.next(OCTETS)?)?;
        let mut values = Reader(attribute.next(SET)?);
        let (mut first, mut count) = (None, 0);
        while !values.ended() {
            let value = values.next(OCTETS)?;
            first = first.or(Some(value));
            count += 1;
            if count > MOST_VALUES {
                return Err(Unreadable);
            }
        }
        attributes.extend(first.map(|first| (name, first.to_vec(), count)));
    }
    Ok(Entry { dn, attributes })
}

fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    String::from_utf8(bytes.to_vec()).map_err(|_| Unreadable)
}

/// Where the next page begins.
fn cookie(controls: &[u8]) -> Result<Option<Vec<u8>>, Unreadable> {
    let mut controls = Reader(controls);
    while !controls.ended() {
        let mut control = Reader(controls.next(SEQUENCE)?);
        let name = control.next(OCTETS)?;
        control.perhaps(BOOLEAN)?;
        let Some(value) = control.perhaps(OCTETS)?.filter(|_| name == PAGED.as_bytes()) else { continue };
        let mut page = Reader(Reader(value).next(SEQUENCE)?);
        page.next(INTEGER)?; // a guess of how many there are, which nobody has to keep to
        return page.next(OCTETS).map(|cookie| Some(cookie.to_vec()));
    }
    Ok(None)
}

/// What servers say, for tests and for the fuzzer's seeds.
#[cfg(test)]
pub(super) mod answers {
    use super::*;

    fn result(code: u32) -> [Vec<u8>; 3] {
        [number(ENUMERATED, code), element(OCTETS, b""), element(OCTETS, b"a text that may name Ada Example")]
    }

    pub(in super::super) fn bound(id: u32, code: u32) -> Vec<u8> {
        message(id, of(0x61, &result(code)), &[])
    }

    pub(in super::super) fn done(id: u32, code: u32, value: Option<&str>) -> Vec<u8> {
        let value = value.map(|value| element(0x8b, value.as_bytes()));
        message(id, of(0x78, &result(code).into_iter().chain(value).collect::<Vec<_>>()), &[])
    }

    pub(in super::super) fn found(id: u32, dn: &str, attributes: &[(&str, &[&[u8]])]) -> Vec<u8> {
        let list: Vec<_> = attributes
            .iter()
            .map(|(name, values)| {
                let values: Vec<_> = values.iter().map(|value| element(OCTETS, value)).collect();
                of(SEQUENCE, &[element(OCTETS, name.as_bytes()), of(SET, &values)])
            })
            .collect();
        message(id, of(0x64, &[element(OCTETS, dn.as_bytes()), of(SEQUENCE, &list)]), &[])
    }

    pub(in super::super) fn elsewhere(id: u32) -> Vec<u8> {
        message(id, of(0x73, &[element(OCTETS, b"ldap://other.example.com/dc=example")]), &[])
    }

    pub(in super::super) fn searched(id: u32, code: u32, cookie: Option<&[u8]>) -> Vec<u8> {
        let page = |cookie| of(SEQUENCE, &[number(INTEGER, 0), element(OCTETS, cookie)]);
        let control = |cookie| of(SEQUENCE, &[element(OCTETS, PAGED.as_bytes()), element(OCTETS, &page(cookie))]);
        message(id, of(0x65, &result(code)), &cookie.map(control).into_iter().collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::answers::*;
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    /// The bytes were written down from RFC 4511 by hand.
    #[test]
    fn requests_are_sent_as_the_protocol_has_them() {
        assert_eq!(hex(&bind(1, "cn=a", "b")), "3011020101600c0201030404636e3d61800162");
        assert_eq!(hex(&bind_external(2)), "301602010260110201030400a30a040845585445524e414c");
        assert_eq!(hex(&start_tls(1)), "301d02010177188016312e332e362e312e342e312e313436362e3230303337");
        assert_eq!(hex(&unbind(3)), "30050201034200");
        let asked = Search {
            base: "dc=x",
            scope: Scope::Subtree,
            filter: &[0x87, 2, b'c', b'n'],
            attributes: &["cn".to_owned()],
            page_size: 2,
            controls: &[],
        };
        let request = "631f040464633d780a01020a01000201000201000101008702636e30040402636e";
        let page = "a02630240416312e322e3834302e3131333535362e312e342e3331390101ff040730050201020400";
        assert_eq!(hex(&search(2, &asked, b"")), format!("304c020102{request}{page}"));
    }

    #[test]
    fn answers_are_read_whatever_the_server_says_in_words() {
        let some = |said| Ok((7, Some(said)));
        assert_eq!(read(&bound(7, 49)), some(Said::Bound(49)));
        assert_eq!(read(&done(7, 0, Some("dn:cn=a"))), some(Said::Done(0, Some(b"dn:cn=a".to_vec()))));
        assert_eq!(read(&elsewhere(7)), some(Said::Elsewhere));
        assert_eq!(read(&searched(7, 4, None)), some(Said::Searched(4, None)));
        assert_eq!(read(&searched(7, 0, Some(b"c"))), some(Said::Searched(0, Some(b"c".to_vec()))));
        let entry = Entry {
            dn: "cn=a".into(),
            attributes: vec![("cn".into(), b"a".to_vec(), 2), ("jpegPhoto".into(), vec![0xff], 1)],
        };
        let sent = found(7, "cn=a", &[("cn", &[b"a", b"b"]), ("sn", &[]), ("jpegPhoto", &[&[0xff]])]);
        assert_eq!(read(&sent), some(Said::Found(entry)));
        for cut in 1..sent.len() {
            assert_eq!(read(&sent[..cut]), Err(Unreadable), "cut after {cut}");
        }
    }
}
