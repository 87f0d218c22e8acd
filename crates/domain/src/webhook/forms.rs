//! How HR systems prove that a webhook is theirs: a form each, with the public source it was taken from.
//!
//! A form is data. Another system is another row, and no code.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spelled;

/// How a form proves where a request is from.
#[derive(Debug)]
pub struct Scheme {
    /// The header with the signature or the token, in lower case.
    pub header: &'static str,
    /// What it holds.
    pub proof: Proof,
    /// The vendor's page that says so, or who else does.
    pub source: &'static str,
}

/// What proves it.
#[derive(Clone, Copy, Debug)]
pub enum Proof {
    /// The secret itself; after the word `Bearer`, or as the whole header.
    Token {
        /// Whether the word stands before it.
        bearer: bool,
    },
    /// A keyed hash.
    Mac {
        /// Of this kind.
        hash: Hash,
        /// Written like this.
        encoding: Encoding,
        /// Of these parts, one after another.
        signs: &'static [Part],
        /// The header with the time it was sent, which is signed as well.
        sent_at: Option<SentAt>,
        /// Whether the header lists signatures as `v1,…`, with blanks between them.
        listed: bool,
        /// How the key is written.
        key: KeyForm,
    },
    /// The body is a security event token, which is signed by a key of a JWKS.
    Set,
}

/// A header with the seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct SentAt(pub &'static str);

/// A hash.
#[derive(Clone, Copy, Debug)]
pub enum Hash {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug)]
pub enum Encoding {
    /// Hexadecimal.
    Hex,
    /// Base64, of either alphabet.
    Base64,
}

/// A part of what is signed.
#[derive(Clone, Copy, Debug)]
pub enum Part {
    /// The body, as it came.
    Body,
    /// The method.
    Method,
    /// A header, by its name in lower case.
    Header(&'static str),
    /// A dot.
    Dot,
}

/// How a key is written.
#[derive(Clone, Copy, Debug)]
pub enum KeyForm {
    /// Its characters are the key.
    AsItIs,
    /// In base64, perhaps after `whsec_`.
    Base64,
}

const BODY: &[Part] = &[Part::Body];

/// A keyed hash without a time.
const fn mac(
    header: &'static str,
    hash: Hash,
    encoding: Encoding,
    signs: &'static [Part],
    source: &'static str,
) -> Scheme {
    let proof = Proof::Mac { hash, encoding, signs, sent_at: None, listed: false, key: KeyForm::AsItIs };
    Scheme { header, proof, source }
}

/// Signatures as the Standard Webhooks specification has them, under a vendor's own names of the headers.
const fn standard(header: &'static str, signs: &'static [Part], sent_at: &'static str, source: &'static str) -> Scheme {
    let proof = Proof::Mac {
        hash: Hash::Sha256,
        encoding: Encoding::Base64,
        signs,
        sent_at: Some(SentAt(sent_at)),
        listed: true,
        key: KeyForm::Base64,
    };
    Scheme { header, proof, source }
}

const fn token(bearer: bool, source: &'static str) -> Scheme {
    Scheme { header: "authorization", proof: Proof::Token { bearer }, source }
}

/// Rows, one a form: its word, and its scheme.
macro_rules! forms {
    ($($(#[$doc:meta])+ $form:ident $word:literal $scheme:expr;)+) => {
        /// The form of a webhook: whose it is.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum Form {
            $($(#[$doc])+ #[serde(rename = $word)] $form,)+
        }

        spelled!(Form { $($form => $word),+ });

        impl Form {
            /// How it proves where a request is from.
            #[must_use]
            pub const fn scheme(self) -> &'static Scheme {
                match self {
                    $(Self::$form => { const SCHEME: Scheme = $scheme; &SCHEME })+
                }
            }
        }
    };
}

forms! {
    /// BambooHR.
    BambooHr "bamboohr" Scheme {
        header: "x-bamboohr-signature",
        proof: Proof::Mac {
            hash: Hash::Sha256,
            encoding: Encoding::Hex,
            signs: &[Part::Body, Part::Header("x-bamboohr-timestamp")],
            sent_at: Some(SentAt("x-bamboohr-timestamp")),
            listed: false,
            key: KeyForm::AsItIs,
        },
        source: "https://documentation.bamboohr.com/docs/webhooks",
    };
    /// Deel.
    Deel "deel" mac(
        "x-deel-signature", Hash::Sha256, Encoding::Hex, &[Part::Method, Part::Body],
        "https://developer.deel.com/v2.1.51/docs/security",
    );
    /// Finch.
    Finch "finch" standard(
        "finch-signature",
        &[Part::Header("finch-event-id"), Part::Dot, Part::Header("finch-timestamp"), Part::Dot, Part::Body],
        "finch-timestamp",
        "https://github.com/Finch-API/finch-api-python",
    );
    /// HiBob.
    HiBob "hibob" mac(
        "bob-signature", Hash::Sha512, Encoding::Base64, BODY,
        "https://apidocs.hibob.com/docs/working-with-webhooks",
    );
    /// Kombo.
    Kombo "kombo" mac(
        "x-kombo-signature", Hash::Sha256, Encoding::Base64, BODY,
        "https://docs.kombo.dev/api-reference/data-changed",
    );
    /// Merge.
    Merge "merge" mac(
        "x-merge-webhook-signature", Hash::Sha256, Encoding::Base64, BODY,
        "https://docs.merge.dev/basics/webhooks/merge-webhooks",
    );
    /// Personio: the token that was given when the webhook was made, as the whole header.
    Personio "personio" token(false, "https://developer.personio.de/reference/post_v2-webhooks");
    /// Rippling: a bearer token.
    Rippling "rippling" token(
        true, "https://developer.rippling.com/documentation/developer-portal/v2-guides/webhooks",
    );
    /// A transmitter of the OpenID Shared Signals Framework: a security event token, pushed as RFC 8935 has it.
    SharedSignals "shared-signals" Scheme {
        header: "content-type",
        proof: Proof::Set,
        source: "https://www.rfc-editor.org/rfc/rfc8935",
    };
    /// Any system that follows the Standard Webhooks specification.
    Standard "standard" standard(
        "webhook-signature",
        &[Part::Header("webhook-id"), Part::Dot, Part::Header("webhook-timestamp"), Part::Dot, Part::Body],
        "webhook-timestamp",
        "https://github.com/standard-webhooks/standard-webhooks",
    );
    /// Workable.
    Workable "workable" mac(
        "x-workable-signature", Hash::Sha256, Encoding::Hex, BODY,
        "https://workable.readme.io/reference/webhooks",
    );
}
