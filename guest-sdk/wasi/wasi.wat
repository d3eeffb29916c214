;; What the runtimes of Go and C still ask of WASI preview 1, answered inside the component: it imports nothing but Pontoon's interfaces.
;; `pontoon driver build` links it in.
;;
;; There are no arguments, no environment, no files and no waiting. What is written to standard output and error becomes lines of the
;; operator's log, random bytes are the host's, and the clock is none: it only goes on (`clock.now` has the time). An import must not be
;; called while the host allocates in this memory, where Go's garbage collector asks for the time. Functions that are not here, as those of
;; sockets, are refused by name when the component is linked.
(module
  (import "env" "memory" (memory 0))
  (import "pontoon:driver/log@0.1.1" "log" (func $log (param $level i32) (param $text i32) (param $length i32)))
  (import "pontoon:driver/random@0.1.1" "bytes" (func $bytes (param $count i32) (param $result i32)))

  ;; Nanoseconds since the call began, as far as anyone asked.
  (global $now (mut i64) (i64.const 0))
  ;; Where the host's next list goes.
  (global $target (mut i32) (i32.const 0))

  (func (export "cabi_import_realloc") (param i32 i32 i32 i32) (result i32) (global.get $target))

  (func $none (param $count i32) (param $size i32) (result i32)
    (i32.store (local.get $count) (i32.const 0))
    (i32.store (local.get $size) (i32.const 0))
    (i32.const 0))
  (func (export "args_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func (export "environ_sizes_get") (param i32 i32) (result i32) (call $none (local.get 0) (local.get 1)))
  (func (export "args_get") (param i32 i32) (result i32) (i32.const 0))
  (func (export "environ_get") (param i32 i32) (result i32) (i32.const 0))

  (func (export "clock_time_get") (param $id i32) (param $precision i64) (param $time i32) (result i32)
    (global.set $now (i64.add (global.get $now) (i64.const 1000)))
    (i64.store (local.get $time) (global.get $now))
    (i32.const 0))
  (func (export "clock_res_get") (param $id i32) (param $resolution i32) (result i32)
    (i64.store (local.get $resolution) (i64.const 1000))
    (i32.const 0))
  ;; Go's bindings call this around an allocation; newer ones only.
  (func (export "adapter_monotonic_clock_set_paused") (param i32))

  ;; The end of a wait for a time is there at once. Nothing else can be waited for: 52 (ENOSYS).
  (func (export "poll_oneoff") (param $subscription i32) (param $event i32) (param $count i32) (param $events i32) (result i32)
    (local $until i64)
    (loop $next
      (if (i32.eqz (local.get $count)) (then (return (i32.const 52))))
      (if (i32.load8_u offset=8 (local.get $subscription)) (then
        (local.set $subscription (i32.add (local.get $subscription) (i32.const 48)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))
    (local.set $until (i64.load offset=24 (local.get $subscription)))
    (if (i32.eqz (i32.and (i32.load16_u offset=40 (local.get $subscription)) (i32.const 1)))
      (then (local.set $until (i64.add (local.get $until) (global.get $now)))))
    (if (i64.gt_u (local.get $until) (global.get $now)) (then (global.set $now (local.get $until))))
    (i64.store (local.get $event) (i64.load (local.get $subscription)))
    (i64.store offset=8 (local.get $event) (i64.const 0))
    (i32.store (local.get $events) (i32.const 1))
    (i32.const 0))

  (func (export "sched_yield") (result i32) (i32.const 0))
  (func (export "proc_exit") (param i32) (unreachable))

  ;; The host gives at most 4,096 bytes at once. Its answer names where the list is, and that is known: what it overwrites is put back.
  (func (export "random_get") (param $buffer i32) (param $length i32) (result i32)
    (local $count i32)
    (local $overwritten i64)
    (loop $next
      (if (i32.eqz (local.get $length)) (then (return (i32.const 0))))
      (local.set $count (select (local.get $length) (i32.const 4096) (i32.lt_u (local.get $length) (i32.const 4096))))
      (global.set $target (local.get $buffer))
      (local.set $overwritten (i64.load (i32.const 8)))
      (call $bytes (local.get $count) (i32.const 8))
      (i64.store (i32.const 8) (local.get $overwritten))
      (local.set $buffer (i32.add (local.get $buffer) (local.get $count)))
      (local.set $length (i32.sub (local.get $length) (local.get $count)))
      (br $next))
    (unreachable))

  (func $is_standard (param $file i32) (result i32) (i32.le_u (local.get $file) (i32.const 2)))
  ;; A line for each piece; an end of line alone is none.
  (func (export "fd_write") (param $file i32) (param $piece i32) (param $count i32) (param $written i32) (result i32)
    (local $length i32)
    (local $sum i32)
    (if (i32.eqz (call $is_standard (local.get $file))) (then (return (i32.const 8))))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (local.set $length (i32.load offset=4 (local.get $piece)))
        (local.set $sum (i32.add (local.get $sum) (local.get $length)))
        (if (i32.gt_u (local.get $length) (i32.const 1)) (then
          (call $log
            (select (i32.const 3) (i32.const 1) (i32.eq (local.get $file) (i32.const 2)))
            (i32.load (local.get $piece))
            (local.get $length))))
        (local.set $piece (i32.add (local.get $piece) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (i32.store (local.get $written) (local.get $sum))
    (i32.const 0))
  (func (export "fd_read") (param i32 i32 i32 i32) (result i32) (i32.const 8))
  (func (export "fd_close") (param i32) (result i32) (i32.const 8))
  (func (export "fd_seek") (param i32 i64 i32 i32) (result i32) (i32.const 8))
  ;; A terminal (2), so that nobody asks for its size or keeps lines back.
  (func (export "fd_fdstat_get") (param $file i32) (param $stat i32) (result i32)
    (if (i32.eqz (call $is_standard (local.get $file))) (then (return (i32.const 8))))
    (i64.store (local.get $stat) (i64.const 2))
    (i64.store offset=8 (local.get $stat) (i64.const 0))
    (i64.store offset=16 (local.get $stat) (i64.const 0))
    (i32.const 0))
  (func (export "fd_fdstat_set_flags") (param i32 i32) (result i32) (i32.const 8))
  ;; No folder is open before the start: 8 (EBADF). Nothing can be opened: 52.
  (func (export "fd_prestat_get") (param i32 i32) (result i32) (i32.const 8))
  (func (export "fd_prestat_dir_name") (param i32 i32 i32) (result i32) (i32.const 8))
  (func (export "path_open") (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32) (i32.const 52))
  (func (export "path_filestat_get") (param i32 i32 i32 i32 i32) (result i32) (i32.const 52)))
