#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| inference_exporter_fuzz::run("config", data));
