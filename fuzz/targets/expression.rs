#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rollcall::hris::fuzz::expression(bytes));
