//! Which column of a file holds which field.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use domain::field::{self, Texts};

/// Header of the column that holds each field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Columns {
    /// Id of the person in the HR system. Without it, people are identified by a digest of their address (`WeakIdentity`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub employee_id: Option<String>,
    /// Full name. Required in the file: the header of one column, or a list of up to four that are joined, such as
    /// `[First name, Last name]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "Headers::schema")]
    pub full_name: Option<Headers>,
    /// Work address. Required in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub email: Option<String>,
    /// Status word. Without the column, the dates decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub status: Option<String>,
    /// First day of work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub hire_date: Option<String>,
    /// Last day of work, or first day out (`endDateMeans`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub termination_date: Option<String>,
    /// Work address of the manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub manager_email: Option<String>,
    /// Word for the kind of employment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub employment_type: Option<String>,
    /// Last day at work, if it is a separate column; it takes precedence over the termination date.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub last_working_day: Option<String>,
    /// Planned end of a fixed-term contract; it ends nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub contract_end: Option<String>,
    /// Reason of a termination, for `urgentReasons`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub termination_reason: Option<String>,
    /// Those of plain texts, and of fields of your own (`custom`).
    #[serde(flatten)]
    #[schemars(schema_with = "text_columns")]
    pub texts: Texts,
}

fn text_columns(_: &mut SchemaGenerator) -> Schema {
    field::schema(Some(1), 128)
}

/// The header of one column, or those of several that belong together.
///
/// A schema of Kubernetes cannot say "a text or a list of texts", so the API server takes anything here. What is neither
/// is read as no header at all, which stalls the connection: an object that cannot be read would stall all of them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "serde_json::Value", into = "serde_json::Value")]
pub struct Headers(pub Vec<String>);

impl Headers {
    /// Most columns that belong together, and the longest header.
    const MAX: usize = 4;
    const MAX_LEN: usize = 128;

    /// The headers, where there are some that could stand in a file.
    #[must_use]
    pub fn get(&self) -> Option<&[String]> {
        let fits = |header: &String| (1..=Self::MAX_LEN).contains(&header.chars().count());
        let headers = self.0.as_slice();
        ((1..=Self::MAX).contains(&headers.len()) && headers.iter().all(fits)).then_some(headers)
    }

    fn schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({"x-kubernetes-preserve-unknown-fields": true})
    }
}

impl From<serde_json::Value> for Headers {
    fn from(value: serde_json::Value) -> Self {
        let texts = match value {
            serde_json::Value::String(text) => vec![text],
            other => serde_json::from_value(other).unwrap_or_default(),
        };
        Self(texts)
    }
}

impl From<Headers> for serde_json::Value {
    fn from(headers: Headers) -> Self {
        match <[String; 1]>::try_from(headers.0) {
            Ok([one]) => Self::String(one),
            Err(several) => several.into(),
        }
    }
}
