//! The words of a definition that say how is asked: requests, pages, further lists, throttling.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de};

use super::super::row::Slot;
use super::values::Value;

/// How the system asks to come back later, and how fast it may be asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttling {
    /// Statuses that mean it, in addition to 429, and 503 with `Retry-After`.
    #[serde(default)]
    pub statuses: Vec<u16>,
    /// Words in the body of an error that mean it.
    #[serde(default)]
    pub code: Option<Code>,
    /// The header that says when to come back, where it is not `Retry-After`.
    #[serde(default)]
    pub reset: Option<Reset>,
    /// How many requests it takes in which time.
    #[serde(default)]
    pub rate: Option<Rate>,
    /// How many requests are under way at once; one where nothing is said.
    #[serde(default)]
    pub concurrency: Option<u8>,
}

/// What an answer says that is none, although its status is 200.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failed {
    /// Path to what says it. A list is asked for its first entry: `errors[0]`.
    pub path: String,
    /// The words that say it; without them, anything that stands there does.
    #[serde(default)]
    pub is: Vec<String>,
}

/// Words at a place of a body.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Code {
    /// Path to the word.
    pub path: String,
    /// The words.
    pub is: Vec<String>,
}

/// A header that says when to come back.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// The header.
    pub header: String,
    /// What its number counts.
    pub says: ResetSays,
}

/// What a number in a header counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ResetSays {
    /// Seconds from now.
    Seconds,
    /// Milliseconds from now.
    Milliseconds,
    /// The instant, in seconds since 1970 of the system's own clock.
    EpochSeconds,
}

/// So many requests in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// Seconds.
    pub seconds: u32,
}

/// A list, read page by page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct List {
    /// The request for it.
    pub request: Request,
    /// Path to the list of records in the answer. Empty: the answer is the list.
    pub records: String,
    /// Where the number of records of all pages stands.
    #[serde(default)]
    pub total: Option<Where>,
    /// How the next page is asked for; without it there is one page.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// What is true of everybody on this list, such as a status.
    #[serde(default)]
    pub sets: BTreeMap<Slot, String>,
    /// Records that are left out: the mark of those that were deleted. A record that is left out is a missing one.
    #[serde(default)]
    pub skip: Option<Code>,
    /// Which of several records of one person counts, in a list of people that has a record for each change.
    #[serde(default)]
    pub choose: Option<Choose>,
    /// Null stands where the list of a page without records would.
    #[serde(default)]
    pub null_is_empty: bool,
    /// The words of an error that stands where the list would, behind the last page. On a first page it is an error.
    #[serde(default)]
    pub empty: Option<Code>,
    /// The list is made first; `{job}` in its request says which.
    #[serde(default)]
    pub export: Option<Export>,
}

/// A list that the system makes when it is asked for, and gives when it is done.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Export {
    /// What it is begun by.
    pub start: Request,
    /// Where the answer says which it is. Of an address in a header, the last part.
    pub job: Where,
    /// How it is looked at, with `{job}`.
    pub poll: Request,
    /// The words that say that it is done.
    pub done: Code,
    /// The words that say that it came to nothing.
    #[serde(default)]
    pub failed: Option<Code>,
    /// Seconds between two looks.
    #[serde(default = "ten")]
    pub every: u32,
}

const fn ten() -> u32 {
    10
}

/// A request: a GET, or a search.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// Path below the base URL.
    pub path: String,
    /// Parameters of the query.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
    /// Headers.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A POST that only reads.
    #[serde(default)]
    pub search: Option<Search>,
}

/// A POST that only reads. The last word of its path says so (`search`, `query` and the like), or a page that is named.
/// Exactly one of `page` and `reads` is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The page that describes it, where its path shows that it reads.
    #[serde(default)]
    pub page: Option<String>,
    /// The page that says that this request only reads, where its path does not show it.
    #[serde(default)]
    pub reads: Option<String>,
    /// What is sent, as JSON.
    pub body: Body,
}

/// A JSON body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Body(pub serde_json::Value);

/// Where a value of a page stands: a path in its body, or a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Where {
    /// A path in the body.
    Path(String),
    /// A header.
    Header(String),
}

/// How the next page is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Paging {
    /// By a cursor that the page before has given; null or empty on the last page.
    Cursor {
        /// Where it stands.
        at: Where,
        /// Parameter of the query that takes it.
        #[serde(default)]
        query: Option<String>,
        /// Path in the body of a search that takes it.
        #[serde(default)]
        body: Option<String>,
        /// Where a flag stands that says whether there is more, for systems that give a cursor on the last page too.
        #[serde(default)]
        more: Option<Where>,
    },
    /// By an address that the page before has given; none on the last page. `Link` is read as RFC 8288 says.
    NextLink(Where),
    /// By the query of such an address alone, where its host or path are not those the list was asked at: behind a
    /// gateway, a system may know itself by another scheme or port.
    NextQuery(Where),
    /// By its number.
    Page(PageCounter),
    /// By the number of records before it.
    Offset(PageCounter),
}

/// A number that grows from page to page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PageCounter {
    /// Parameter of the query that takes it.
    #[serde(default)]
    pub query: Option<String>,
    /// Path in the body of a search that takes it.
    #[serde(default)]
    pub body: Option<String>,
    /// What the parameter looks like, with `{}` for the number: `{},100`.
    #[serde(default)]
    pub form: Option<String>,
    /// The number of the first page.
    #[serde(default)]
    pub from: u64,
    /// How many records a whole page has. Offsets grow by it; without it, by the records there were.
    #[serde(default)]
    pub size: Option<u32>,
    /// What the last page is known by.
    pub ends: Ends,
}

/// What the last page is known by.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Ends {
    /// It has no records, or its status is 204.
    Empty,
    /// It has fewer records than a whole page.
    Short,
    /// There are as many records as were announced.
    Total,
    /// The same, and the page behind it is empty or was there already: some servers announce the records of a page.
    CheckedTotal,
    /// A flag there is false.
    More(Where),
    /// Its number is the one given there.
    Last(Where),
}

/// A list with more about the same people.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The list.
    pub list: List,
    /// Path in its records to what names the person.
    pub key: String,
    /// Path in a person's record to the same.
    pub of: String,
    /// Which record counts, where there are several of one person.
    #[serde(default)]
    pub choose: Option<Choose>,
    /// The list may be refused (403): then what it says of accounts is not known, and everything else is read all the same.
    #[serde(default, rename = "mayBeRefused")]
    pub may_be_refused: bool,
    /// Where each value stands.
    pub fields: BTreeMap<Slot, Value>,
    /// Values that only `rules` look at.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
}

/// What is asked about each person by a request of its own.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Detail {
    /// The request; `{of}` in its path, or in the body of a search, is what `of` leads to.
    pub request: Request,
    /// Path in a person's record to what the request takes.
    pub of: String,
    /// Path to a list of records in the answer. Without it, the answer is one record.
    #[serde(default)]
    pub records: Option<String>,
    /// Null stands where the list of somebody without records would.
    #[serde(default)]
    pub null_is_empty: bool,
    /// How the next page is asked for; without it there is one page.
    #[serde(default)]
    pub paging: Option<Paging>,
    /// Asks about many people in one request.
    #[serde(default)]
    pub together: Option<Together>,
    /// Which record counts, where there are several.
    #[serde(default)]
    pub choose: Option<Choose>,
    /// Where each value stands.
    pub fields: BTreeMap<Slot, Value>,
    /// Values that only `rules` look at.
    #[serde(default)]
    pub inputs: BTreeMap<String, Value>,
}

/// How many people are asked about in one request: in the list in its body that `{of}` stands in, what stands there
/// for one person stands there for each.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Together {
    /// Most people of one request.
    pub most: u16,
    /// Path in a record of the answer to whose it is.
    pub key: String,
}

/// Which of several records of one person counts: the one of today; else the next to begin; else the last that ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choose {
    /// Path to its first day.
    pub from: String,
    /// Path to its last day; none is open.
    #[serde(default)]
    pub to: Option<String>,
    /// Status words of records that count only where all there are have one of them.
    #[serde(default)]
    pub ended: Vec<String>,
}

/// A list that gives a name for an id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// The list.
    pub list: List,
    /// Path to the id.
    pub key: String,
    /// Path to the name.
    pub value: String,
}

impl<'de> Deserialize<'de> for Where {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Header {
            header: String,
        }
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Where;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a path, or a header")
            }

            fn visit_str<E: de::Error>(self, path: &str) -> Result<Where, E> {
                Ok(Where::Path(path.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Where, A::Error> {
                Ok(Where::Header(Header::deserialize(MapAccessDeserializer::new(map))?.header))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
