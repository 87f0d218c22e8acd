//! What a body is that is not what was asked for, told by its first bytes. Says a kind, and never what stands in it.

/// What some bytes are, where they are no text.
pub fn of_bytes(bytes: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"PK\x03\x04", "a ZIP archive or a workbook such as .xlsx (it begins with PK)"),
        (b"\xd0\xcf\x11\xe0", "an old Excel workbook (it begins with D0CF11E0)"),
        (b"\x1f\x8b", "packed by gzip (it begins with 1F8B)"),
        (b"%PDF-", "a PDF (it begins with %PDF)"),
        (b"-----BEGIN PGP", "encrypted or signed by OpenPGP (spec.source.file.decryption opens it)"),
        (b"SQLite format", "a database (it begins with SQLite format)"),
        (b"{\\rtf", "a word processor's document (it begins with {\\rtf)"),
    ];
    KINDS.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind)
}

/// What a text is, where it begins like something known.
pub fn of_text(text: &str) -> Option<&'static str> {
    let text = text.trim_start();
    let starts = |word: &str| text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    if ["<!doctype html", "<html", "<head", "<body"].iter().any(|word| starts(word)) {
        return Some("a web page (it begins with HTML; often it is a sign-in page)");
    }
    if text.starts_with('<') {
        return Some("markup such as XML (it begins with <)");
    }
    let json = text.strip_prefix(['{', '[']).map(str::trim_start);
    json.is_some_and(|inside| inside.starts_with(['{', '"', '[', ']', '}'])).then_some("JSON (it begins with { or [)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_html_is_called_a_sign_in_page() {
        for (text, kind) in [
            ("\n<!DOCTYPE html><html>", Some("a web page (it begins with HTML; often it is a sign-in page)")),
            ("<HTML lang=en>", Some("a web page (it begins with HTML; often it is a sign-in page)")),
            ("<?xml version=\"1.0\"?><people/>", Some("markup such as XML (it begins with <)")),
            ("{\"error\": \"denied\"}", Some("JSON (it begins with { or [)")),
            ("[{\"id\": 7}]", Some("JSON (it begins with { or [)")),
            ("[id],[name]", None),
            ("fullName,email", None),
        ] {
            assert_eq!(of_text(text), kind, "{text}");
        }
        assert!(of_bytes(b"PK\x03\x04\0\0").is_some_and(|kind| kind.contains("xlsx")));
        assert_eq!(of_bytes(b"PK,fullName"), None);
    }
}
