use std::collections::BTreeMap;

use super::*;

const SECRET: &str = "a-secret-of-thirty-two-characters";
/// The same bytes as `SECRET`, as the forms that write their keys in base64 have it.
const SECRET_64: &str = "whsec_YS1zZWNyZXQtb2YtdGhpcnR5LXR3by1jaGFyYWN0ZXJz";
const BODY: &[u8] = br#"{"type":"employee.updated","employee":{"id":7}}"#;
const NOW: i64 = 1_767_225_600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

type Headers = BTreeMap<&'static str, String>;

fn asked(form: Form, secrets: &[&str], headers: &Headers, body: &[u8], now: i64) -> Result<Proven, Refusal> {
    let secrets: Vec<Vec<u8>> = secrets.iter().map(|secret| secret.as_bytes().to_vec()).collect();
    let header = |name: &str| headers.get(name).map(String::as_str);
    verify(form, &secrets, &Request { method: "POST", header: &header, body }, at(now))
}

/// The secret of a form, as the Secret has it.
fn secret(form: Form) -> &'static str {
    match form.scheme().proof {
        Proof::Mac { key: KeyForm::Base64, .. } => SECRET_64,
        _ => SECRET,
    }
}

/// All but tokens, which have tests of their own.
fn forms() -> impl Iterator<Item = Form> {
    Form::ALL.iter().copied().filter(|form| !matches!(form.scheme().proof, Proof::Set))
}

/// What each vendor sends with `BODY` at `NOW`. Computed apart from the code, by Python's `hmac`.
fn sent(form: Form) -> Headers {
    let own = |pairs: &[(&'static str, &str)]| pairs.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    match form {
        Form::BambooHr => own(&[
            ("x-bamboohr-timestamp", "1767225600"),
            ("x-bamboohr-signature", "f28387d66d75573f0a5f2d5155a49599b34e3d6043cea63c798360df00dc47b6"),
        ]),
        Form::Deel => own(&[("x-deel-signature", "448a8580958b3b99955b5e857a0689470955463b170e89d7c25ac7cf744c2138")]),
        Form::Finch => own(&[
            ("finch-event-id", "evt_1"),
            ("finch-timestamp", "1767225600"),
            ("finch-signature", "v1,AAAA v1,fTEdb3NpnAu1ZxL3ECijSsJaGoXfTrxEkfw5qoPL68w="),
        ]),
        Form::HiBob => own(&[(
            "bob-signature",
            "pyrsboSQBiq0ljguy6mqaQJYRkJ6ODVB/gVdrOFWLsCCYxXhd5ZDH8YuoGRSGMobPDCZoerVMrY+mxF4wvF8RQ==",
        )]),
        Form::Kombo => own(&[("x-kombo-signature", "ikfrcsjG8jKcU-9tzBZH1UXNXANkXdch-iL1SGLsTIY")]),
        Form::Merge => own(&[("x-merge-webhook-signature", "ikfrcsjG8jKcU-9tzBZH1UXNXANkXdch-iL1SGLsTIY=")]),
        Form::Personio => own(&[("authorization", SECRET)]),
        Form::SharedSignals => own(&[("content-type", set::CONTENT)]),
        Form::Rippling => own(&[("authorization", &format!("Bearer {SECRET}"))]),
        Form::Standard => own(&[
            ("webhook-id", "evt_1"),
            ("webhook-timestamp", "1767225600"),
            ("webhook-signature", "v2,AAAA v1,fTEdb3NpnAu1ZxL3ECijSsJaGoXfTrxEkfw5qoPL68w="),
        ]),
        Form::Workable => {
            own(&[("x-workable-signature", "8a47eb72c8c6f2329c53ef6dcc1647d545cd5c03645dd721fa22f54862ec4c86")])
        }
    }
}

#[test]
fn what_each_vendor_sends_is_taken_with_any_of_the_secrets_and_with_no_other() {
    for form in forms() {
        let (headers, name) = (sent(form), form.as_str());
        let other = "another-secret-of-thirty-two-char";
        assert!(asked(form, &[secret(form)], &headers, BODY, NOW).is_ok(), "{name}");
        assert!(asked(form, &[other, secret(form)], &headers, BODY, NOW).is_ok(), "{name}: while it is replaced");
        for (situation, secrets) in [("the secret of another", vec![other]), ("none", vec![]), ("empty", vec![""])] {
            let refused = asked(form, &secrets, &headers, BODY, NOW);
            assert_eq!(refused, Err(Refusal::WrongSignature), "{name}: {situation}");
        }
        assert_eq!(asked(form, &[secret(form)], &Headers::new(), BODY, NOW), Err(Refusal::Unsigned), "{name}");
        let header = form.scheme().header;
        let garbage = Headers::from([(header, String::new())]);
        assert_eq!(asked(form, &[secret(form)], &garbage, BODY, NOW), Err(Refusal::Unsigned), "{name}");
        assert!(is_signed(form, &|name| headers.get(name).map(String::as_str)).is_ok(), "{name}");
        assert!(is_signed(form, &|_| None).is_err(), "{name}");
    }
}

#[test]
fn a_token_is_known_by_its_type_before_it_is_read() {
    let signed = |kind: &str| is_signed(Form::SharedSignals, &|name| Some(kind).filter(|_| name == "content-type"));
    for kind in ["application/secevent+jwt", "Application/SecEvent+JWT; charset=utf-8"] {
        assert!(signed(kind).is_ok(), "{kind}");
    }
    for kind in ["", "application/jwt", "application/json", "text/application/secevent+jwt"] {
        assert_eq!(signed(kind), Err(Refusal::Unsigned), "{kind}");
    }
    let headers = sent(Form::SharedSignals);
    assert_eq!(asked(Form::SharedSignals, &[SECRET], &headers, BODY, NOW), Err(Refusal::Unsigned), "by no secret");
}

#[test]
fn another_body_has_another_signature() {
    for form in Form::ALL.iter().copied().filter(|form| matches!(form.scheme().proof, Proof::Mac { .. })) {
        let refused = asked(form, &[secret(form)], &sent(form), b"{}", NOW);
        assert_eq!(refused, Err(Refusal::WrongSignature), "{}", form.as_str());
    }
}

#[test]
fn a_time_that_is_signed_has_to_be_now_and_is_signed() {
    let minutes = |minutes: i64| NOW + minutes * 60;
    let mut seen = 0;
    for form in Form::ALL.iter().copied() {
        let Proof::Mac { sent_at: Some(SentAt(header)), .. } = form.scheme().proof else { continue };
        seen += 1;
        let name = form.as_str();
        assert!(
            asked(form, &[secret(form)], &sent(form), BODY, NOW).unwrap().dated,
            "{name}: the same again is a replay"
        );
        for (now, expected) in [
            (minutes(5), Ok(())),
            (minutes(-5), Ok(())),
            (minutes(6), Err(Refusal::OutOfTime)),
            (minutes(-6), Err(Refusal::OutOfTime)),
        ] {
            assert_eq!(asked(form, &[secret(form)], &sent(form), BODY, now).map(drop), expected, "{name} at {now}");
        }
        let mut moved = sent(form);
        moved.insert(header, minutes(6).to_string());
        assert_eq!(asked(form, &[secret(form)], &moved, BODY, minutes(6)), Err(Refusal::WrongSignature), "{name}");
        moved.remove(header);
        assert_eq!(asked(form, &[secret(form)], &moved, BODY, NOW), Err(Refusal::Unsigned), "{name}");
    }
    assert_eq!(seen, 3, "BambooHR, Finch and the standard");
}

#[test]
fn spellings_of_a_signature_are_the_same_signature_and_a_beginning_of_it_is_none() {
    let of = |name, value: &str| Headers::from([(name, value.to_owned())]);
    let signature = |form: Form, name| sent(form)[name].clone();
    let hex = signature(Form::Workable, "x-workable-signature");
    let base64 = signature(Form::Merge, "x-merge-webhook-signature");
    let bob = signature(Form::HiBob, "bob-signature");
    let standard = base64.replace('-', "+").replace('_', "/");
    let merge = |text: &str| asked(Form::Merge, &[SECRET], &of("x-merge-webhook-signature", text), BODY, NOW).is_ok();
    let workable = |text: &str| asked(Form::Workable, &[SECRET], &of("x-workable-signature", text), BODY, NOW).is_ok();
    let hibob = |text: &str| asked(Form::HiBob, &[SECRET], &of("bob-signature", text), BODY, NOW).is_ok();
    assert!(workable(&hex) && workable(&hex.to_uppercase()));
    assert!(merge(&base64) && merge(base64.trim_end_matches('=')) && merge(&standard));
    assert!(hibob(&bob) && !hibob(&base64), "another hash");
    for wrong in ["", "0", &hex[..62], &format!("{hex}00"), &"z".repeat(64), &"0".repeat(2000)] {
        assert!(!workable(wrong), "{wrong}");
    }
    let rippling = |text: &str| asked(Form::Rippling, &[SECRET], &of("authorization", text), BODY, NOW);
    assert!(rippling(&format!("bearer  {SECRET}")).is_ok());
    for wrong in [SECRET, "Bearer", "Bearer ", "Basic x"] {
        assert_eq!(rippling(wrong), Err(Refusal::Unsigned), "{wrong}");
    }
    assert_eq!(rippling(&format!("Bearer {SECRET}x")), Err(Refusal::WrongSignature));
}

#[test]
fn a_secret_that_could_be_guessed_is_none() {
    for short in ["", "0123456789abcde"] {
        let headers = Headers::from([("authorization", short.to_owned())]);
        assert!(asked(Form::Personio, &[short], &headers, BODY, NOW).is_err(), "{short:?}");
    }
    // A key that decodes to nothing is one that everybody has.
    for empty in ["whsec_", "whsec_!!!!!!!!!!!!!!!!", "whsec_AAAA============="] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"");
        let mut signed = b"evt_1.1767225600.".to_vec();
        signed.extend_from_slice(BODY);
        let mut headers = sent(Form::Standard);
        headers.insert("webhook-signature", format!("v1,{}", BASE64_NOPAD.encode(hmac::sign(&key, &signed).as_ref())));
        assert_eq!(asked(Form::Standard, &[empty], &headers, BODY, NOW), Err(Refusal::WrongSignature), "{empty}");
    }
}

#[test]
fn a_request_is_known_again_for_a_while() {
    let mut known = Known::default();
    let taken = |body: &[u8]| {
        let headers = Headers::from([("authorization", SECRET.to_owned())]);
        asked(Form::Personio, &[SECRET], &headers, body, NOW).unwrap().print
    };
    assert!(known.is_new(taken(BODY), at(NOW)));
    assert!(!known.is_new(taken(BODY), at(NOW + 599)), "a replay");
    assert!(known.is_new(taken(b"{}"), at(NOW)), "another request");
    assert!(known.is_new(taken(BODY), at(NOW + 601)), "long ago");
    for number in 0..5000_u32 {
        known.is_new(taken(&number.to_be_bytes()), at(NOW + 601));
    }
    assert!(known.0.len() <= MOST_KNOWN, "bounded");
}

#[test]
fn the_page_lists_every_form_with_its_source() {
    const PAGE: &str = include_str!("../../../../docs/webhooks.md");
    for form in Form::ALL {
        let row = format!("| `{}` |", form.as_str());
        let row = PAGE.lines().find(|line| line.starts_with(&row)).unwrap_or_default();
        assert!(row.contains(form.scheme().source), "{} in docs/webhooks.md", form.as_str());
        assert!(row.to_lowercase().contains(form.scheme().header), "{}: {row}", form.as_str());
    }
}
