#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hris::fuzz::ldap(bytes));
