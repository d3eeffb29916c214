//! Below the SDK: what no binding would let through. Handles are numbers here, and text is whatever lies in memory.

#![cfg_attr(target_arch = "wasm32", expect(unsafe_code, reason = "an attack on the boundary goes around the bindings"))]

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use pontoon_sdk::Result;
use pontoon_sdk::store::Key;

use crate::{Attack, Stage};

pub(crate) const ATTACKS: &[(&str, Attack)] = &[
    ("forge-a-handle", |stage| removing(stage, |_| 999)),
    ("handle-of-zero", |stage| removing(stage, |_| 0)),
    ("handle-below-zero", |stage| removing(stage, |_| -1)),
    ("drop-a-handle-twice", |_| {
        host::drop_namespace(7);
        Ok(())
    }),
    ("no-utf-8", |_| {
        host::log(&[0xff, 0xfe, 0xc0, 0x80]);
        Ok(())
    }),
    ("message-outside-of-memory", |_| {
        host::log_at(0xffff_ff00_u32.cast_signed(), 4_096);
        Ok(())
    }),
    ("message-of-four-gigabytes", |_| {
        host::log_at(0, -1);
        Ok(())
    }),
    ("level-that-there-is-not", |_| {
        host::level(99);
        Ok(())
    }),
    ("call-back-while-being-called", call_back),
];

/// While the host writes an answer into this memory, what it asks for memory calls the host.
fn call_back(_: &Stage) -> Result<()> {
    let key = Key::<String>::new("k");
    key.set(&"v".to_owned())?;
    CALLING_BACK.store(true, Relaxed);
    key.get().map(drop)
}

static CALLING_BACK: AtomicBool = AtomicBool::new(false);

/// How the host asks for memory for an answer (the component model's `realloc`), in the place of wit-bindgen's: it can call the host first.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(old: *mut u8, old_size: usize, align: usize, size: usize) -> *mut u8 {
    use std::alloc::{Layout, alloc, realloc};

    if CALLING_BACK.load(Relaxed) {
        pontoon_sdk::clock::now();
    }
    // SAFETY: the host asks as the canonical ABI says, and never for nothing.
    unsafe {
        match old_size {
            0 => alloc(Layout::from_size_align_unchecked(size, align)),
            _ => realloc(old, Layout::from_size_align_unchecked(old_size, align), size),
        }
    }
}

/// A number that was a handle in the endpoint's call: in this one it stands for something else, or nothing.
pub(crate) fn use_an_earlier_handle() {
    host::drop_interface_info(1);
}

/// Removes a link by a number.
fn removing(stage: &Stage, number: fn(&Stage) -> i32) -> Result<()> {
    let _own = stage.link("hb")?;
    host::remove_link(number(stage));
    Ok(())
}

#[cfg(target_arch = "wasm32")]
mod host {
    #[link(wasm_import_module = "pontoon:driver/links@0.1.1")]
    unsafe extern "C" {
        #[link_name = "[method]link.remove"]
        fn link_remove(handle: i32, result: *mut u8);
    }

    #[link(wasm_import_module = "pontoon:driver/namespaces@0.1.1")]
    unsafe extern "C" {
        #[link_name = "[resource-drop]namespace"]
        fn namespace_drop(handle: i32);
    }

    #[link(wasm_import_module = "pontoon:driver/capabilities@0.1.1")]
    unsafe extern "C" {
        #[link_name = "[resource-drop]interface-info"]
        fn interface_info_drop(handle: i32);
    }

    #[link(wasm_import_module = "pontoon:driver/log@0.1.1")]
    unsafe extern "C" {
        #[link_name = "log"]
        fn log_raw(level: i32, text: i32, length: i32);
    }

    pub(super) fn remove_link(handle: i32) {
        let mut result = [0_u64; 8];
        // SAFETY: the host writes a result of 28 bytes, aligned to 4.
        unsafe { link_remove(handle, result.as_mut_ptr().cast()) }
    }

    pub(super) fn drop_namespace(handle: i32) {
        // SAFETY: no value of this program has the handle.
        unsafe { namespace_drop(handle) }
    }

    pub(super) fn drop_interface_info(handle: i32) {
        // SAFETY: as above.
        unsafe { interface_info_drop(handle) }
    }

    pub(super) fn log(text: &[u8]) {
        log_at(text.as_ptr() as i32, text.len() as i32);
    }

    pub(super) fn log_at(text: i32, length: i32) {
        // SAFETY: the host only reads.
        unsafe { log_raw(1, text, length) }
    }

    pub(super) fn level(level: i32) {
        // SAFETY: as above.
        unsafe { log_raw(level, 0, 0) }
    }
}

/// Only a component has a host.
#[cfg(not(target_arch = "wasm32"))]
mod host {
    pub(super) fn remove_link(_: i32) {}
    pub(super) fn drop_namespace(_: i32) {}
    pub(super) fn drop_interface_info(_: i32) {}
    pub(super) fn log(_: &[u8]) {}
    pub(super) fn log_at(_: i32, _: i32) {}
    pub(super) fn level(_: i32) {}
}
