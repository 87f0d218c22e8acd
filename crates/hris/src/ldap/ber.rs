//! BER as LDAP restricts it (RFC 4511, section 5.1): lengths are definite, tags are of one byte. Bounded, and never deeper than it
//! is asked to go.

/// The tags that every message has.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// Bytes that are no BER, or not what is expected where they stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// An element with this tag and content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 6);
    bytes.push(tag);
    match u8::try_from(content.len()) {
        Ok(short @ 0..=127) => bytes.push(short),
        _ => {
            let length = content.len().to_be_bytes();
            let figures: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(figures.len()).unwrap_or(8));
            bytes.extend(figures);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// An element made of others.
pub(super) fn of(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

/// A whole number; its tag is that of an INTEGER or of an ENUMERATED.
pub(super) fn number(tag: u8, value: u32) -> Vec<u8> {
    let figures: Vec<u8> = value.to_be_bytes().into_iter().skip_while(|byte| *byte == 0).collect();
    let sign = figures.first().is_none_or(|first| *first >= 0x80).then_some(0);
    element(tag, &sign.into_iter().chain(figures).collect::<Vec<_>>())
}

/// How long the first element of these bytes is: the bytes before its content, and those of it. None where more bytes are needed to
/// know.
pub(super) fn size(bytes: &[u8]) -> Result<Option<(usize, usize)>, Unreadable> {
    const FIGURES: usize = 4;
    let (Some(tag), Some(first)) = (bytes.first(), bytes.get(1)) else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Unreadable);
    }
    if *first < 0x80 {
        return Ok(Some((2, usize::from(*first))));
    }
    let figures = usize::from(first & 0x7f);
    if !(1..=FIGURES).contains(&figures) {
        return Err(Unreadable);
    }
    let Some(length) = bytes.get(2..2 + figures) else { return Ok(None) };
    let length = length.iter().fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
    Ok(Some((2 + figures, length)))
}

/// Reads elements one after another.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    /// The next element: its tag and content.
    pub(super) fn any(&mut self) -> Result<(u8, &'a [u8]), Unreadable> {
        let (head, length) = size(self.0)?.ok_or(Unreadable)?;
        let tag = *self.0.first().ok_or(Unreadable)?;
        let end = head.checked_add(length).ok_or(Unreadable)?;
        let content = self.0.get(head..end).ok_or(Unreadable)?;
        self.0 = self.0.get(end..).ok_or(Unreadable)?;
        Ok((tag, content))
    }

    /// The content of the next element, which must have this tag.
    pub(super) fn next(&mut self, tag: u8) -> Result<&'a [u8], Unreadable> {
        let (found, content) = self.any()?;
        if found == tag { Ok(content) } else { Err(Unreadable) }
    }

    /// The content of the next element, if it has this tag.
    pub(super) fn perhaps(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Unreadable> {
        if self.0.first() == Some(&tag) { self.next(tag).map(Some) } else { Ok(None) }
    }

    /// Whether nothing is left.
    pub(super) const fn ended(&self) -> bool {
        self.0.is_empty()
    }

    /// A whole number that is not below zero.
    pub(super) fn number(&mut self, tag: u8) -> Result<u32, Unreadable> {
        let figures = self.next(tag)?;
        let positive = figures.first().is_some_and(|first| *first < 0x80);
        if !positive || figures.len() > 5 {
            return Err(Unreadable);
        }
        let value = figures.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        u32::try_from(value).map_err(|_| Unreadable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let written = element(OCTETS, &content);
            assert_eq!(Reader(&written).next(OCTETS), Ok(content.as_slice()), "{length}");
            assert_eq!(size(&written), Ok(Some((written.len() - length, length))), "{length}");
        }
        for value in [0, 1, 127, 128, 255, 256, 65_535, u32::MAX] {
            assert_eq!(Reader(&number(INTEGER, value)).number(INTEGER), Ok(value));
        }
    }

    #[test]
    fn long_forms_of_a_length_are_read_and_what_is_no_ber_is_refused() {
        // Active Directory writes every length in four figures.
        assert_eq!(Reader(&[SEQUENCE, 0x84, 0, 0, 0, 1, 9]).next(SEQUENCE), Ok([9].as_slice()));
        for (what, bytes) in [
            ("an indefinite length", vec![SEQUENCE, 0x80, 0, 0]),
            ("a length of more figures than any message needs", vec![SEQUENCE, 0x85, 0, 0, 0, 0, 1, 9]),
            ("a tag of several bytes", vec![0x1f, 0x81, 1, 0]),
            ("an end before its time", vec![OCTETS, 5, 1, 2]),
            ("nothing", vec![]),
        ] {
            assert_eq!(Reader(&bytes).any(), Err(Unreadable), "{what}");
        }
        assert_eq!(Reader(&[INTEGER, 1, 0xff]).number(INTEGER), Err(Unreadable), "below zero");
        assert_eq!(Reader(&[INTEGER, 5, 1, 0, 0, 0, 0]).number(INTEGER), Err(Unreadable), "too large");
        assert_eq!(size(&[SEQUENCE]), Ok(None), "more is needed");
        assert_eq!(size(&[SEQUENCE, 0x82, 1]), Ok(None), "more is needed");
    }
}
