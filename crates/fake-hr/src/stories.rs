//! Every connector of the catalogue, read over real HTTP from a fake of its system.

mod catalogue;
mod company;

use std::time::Duration;

use hris::Definition;
use jiff::civil::Date;

const TODAY: Date = Date::constant(2026, 3, 2);
const LONG: Duration = Duration::from_secs(30);
