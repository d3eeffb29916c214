//! Every claim of SECURITY.md, and of what host/README.md says of grants, beside the tests that fail when it is broken.
//!
//! A sentence, row or line of those places that has no test here fails this one, and so does a claim that stands here only.

use std::path::{Path, PathBuf};

use grant::Limit;
use pontoon::frontend::docker::limits as docker;
use pontoon::frontend::http::limits as http;
use words::foreign::MESSAGE_BYTES;
use words::limit;

const SECURITY: &str = include_str!("../../SECURITY.md");
const OPERATORS: &str = include_str!("../../host/README.md");

/// Words as they stand in a document, and below them the tests: a file, from here or from `host/`, and a function in it.
const CLAIMS: &str = r#"
root, the daemon's own user, or a member of the socket's group; others get a 403 and a line in the log
    confine::whoever_is_neither_root_nor_in_the_group_is_refused host/src/frontend/http/peer::this_user_may
    host/src/frontend/http/peer::groups_are_read_from_a_status
root and the daemon's own user are heard and no group is, whatever mode the file has
    replaced/failing::a_stranger_is_handed_nothing
Both kinds of sockets have mode 0660
    confine::whoever_is_neither_root_nor_in_the_group_is_refused host/src/frontend/http/socket::it_is_made_with_its_folder_and_removed

It reaches the kernel, the store and the network only by the calls in `wit/`, each of which passes one gate and needs what its grant names
    refusals/components::imports_that_the_host_does_not_offer host/src/driver/admit::imports_are_refused_by_name
    host/grant/src/gate/tests/calls::nothing_is_granted_without_the_permission_for_the_host_call
    grants::without_a_grant_every_import_outside_of_the_table_is_refused
    grants::with_links_alone_everything_else_is_refused
It sees no path, process, file descriptor or clock
    refusals/components::imports_that_the_host_does_not_offer claims::wasmtime_is_what_the_document_says
    hostile::path_as_a_link hostile::path_as_a_namespace hostile::path_as_a_table
Links, rules, routes and ports that it did not make are out of its reach, by index and owner's mark and not by name
    hostile::take_eth0 hostile::take_loopback hostile::take_a_foreign_bridge hostile::see_foreign_links hostile::race_a_rename
    hostile::make_a_foreign_name hostile::redirect_the_hosts_ssh hostile::redirect_another_network hostile::route_of_another_network
    hostile::drop_another_network hostile::policy_rule_for_another_network
    host/grant/src/gate/tests/calls::a_link_is_changed_by_whoever_made_it_as_long_as_it_is_there
    ports::an_endpoint_gives_back_only_its_own
What it made for a link is for no other link
    hostile::rules_of_a_link_that_is_removed hostile::rules_of_a_link_that_the_operator_renames hostile::rename_under_a_policy_rule
What sends a port's packets elsewhere goes before the port does
    hostile::release_a_translated_port host/grant/src/gate/tests/calls::a_port_is_released_with_the_rules_for_it
Its links on the host have no names that engines, interfaces to come or other drivers' links are known by
    hostile::take_an_engines_name host/grant/src/gate/tests/calls::a_link_has_no_name_that_another_may_have
A pool or address that it gives as a manager of addresses is refused where the grant does not name it, another network has it, or it was given already
    ipam::a_pool_that_can_not_be_given_is_not ipam::an_address_that_can_not_be_given_is_not killed::addresses_of_a_driver
Such a call gets the store and no kernel
    host/grant/src/gate/tests::a_call_for_address_management_gets_the_store_alone ipam::a_pool_that_can_not_be_given_is_not
A parent interface keeps its MAC address, MTU, queue and state
    grants::a_parent_is_built_on_and_not_changed host/grant/src/gate/tests/limits::a_link_on_a_parent_is_a_bridges_port_by_a_word_of_its_own hostile::bridge_a_vlan
A device of the host's is in a container with `devices` only, and one by which the host's packets leave for the outside with `uplinks` beside it; one that others go by stays
    devices::what_a_driver_can_not_take host/grant/src/gate/tests/devices::a_device_that_is_named_is_taken_for_an_endpoint
    host/grant/src/gate/tests/devices::the_hosts_way_out_is_a_permission_of_its_own host/kernel/src/tests/devices::what_others_go_by_stays
It is for one container at a time, nothing is built on it meanwhile, and it is on the host again as it was when its endpoint goes, the call fails or the daemon is killed
    devices::one_container_at_a_time_has_a_device devices::a_container_gets_a_device_and_the_host_has_it_again
    devices::a_device_outlives_the_daemon killed::a_device host/kernel/src/tests/devices::a_device_is_on_the_host_again_as_it_was
A WireGuard link's private key is made by the host and is in the kernel alone
    host/kernel/src/link/wireguard::what_the_kernel_says_is_read_without_the_private_key
    host/kernel/src/tests/wireguard::the_private_key_is_the_kernels_alone
Its peers send from, and get, addresses that the grant names; its port is one of the host's, as a published one is
    wireguard::what_a_driver_asks_of_tunnels_is_bounded hostile::tunnel_by_every_link
    host/grant/src/gate/tests/wireguard::peers_have_networks_of_the_drivers_own
    host/kernel/src/tests/wireguard::a_tunnels_port_is_a_port_of_the_host
A set of addresses or ports ties no packet rule to a network, and is looked into by its own network's rules only
    hostile::rule_tied_by_a_set hostile::look_into_a_set_of_another_network hostile::elements_for_a_set_of_another_network
    host/grant/src/gate/tests/sets::a_rule_looks_into_sets_that_are_there_as_long_as_it
Bits of marks that the grant does not name (`mark-bits`), the kernel's log (`packet-log`) and packets beside connection tracking (`untracked-packets`) are out of reach
    hostile::mark_its_packets hostile::mark_everybodys_packets hostile::log_without_leave
    host/grant/src/gate/tests/sets::a_statement_stands_where_the_kernel_can_do_it_and_the_grant_names_it
What comes to a port of the host a map sends on only where the element's owner has taken that port, and into the network
    hostile::map_the_hosts_ssh hostile::map_a_port_to_the_host hostile::release_a_mapped_port
    host/grant/src/gate/tests/maps::a_port_in_a_map_is_taken_and_leads_into_the_network
A map sets bits of marks that the grant names
    hostile::map_to_marks_that_are_not_granted host/grant/src/gate/tests/maps::a_mark_in_a_map_has_granted_bits_only
A rule for what passes bridges is for a link of its own, whatever addresses it names beside it
    hostile::drop_all_frames hostile::drop_frames_of_addresses hostile::drop_frames_of_a_mac hostile::drop_frames_of_the_victims_port
    host/grant/src/gate/tests/frames::a_rule_for_frames_is_for_an_own_port
A chain of its own is reached by its own network's rules only, each tied to it, and what its rules do is what those of its base chain may
    hostile::jump_into_a_chain_of_another_network hostile::jump_for_everybody hostile::jump_from_another_hook
    host/grant/src/gate/tests/chains::a_rule_of_a_chain_is_as_one_of_the_base_chain_but_for_its_tie
Ways between chains lead in no circle
    hostile::jump_in_a_circle hostile::jump_into_itself host/grant/src/gate/tests/chains::no_way_leads_in_a_circle_or_is_too_long
A call that fails, traps or takes too long leaves nothing behind, and neither does a daemon that is killed
    faults::bridge faults::probe faults::every_action_of_the_probe hostile::remove_then_trap hostile::trap_after_a_link
    transactions::what_the_kernel_was_still_busy_with_when_time_was_up_is_undone
    killed::native killed::docker killed::everything_that_a_driver_can_change restart::what_a_kill_leaves_is_removed_by_the_next_start
Everything that it chooses the size of has a limit, below
    limits::sizes_numbers_and_lists_are_refused_past_their_limits limits::what_exceeds_a_limit_of_the_call_ends_it
It holds up no other network's calls, and a function that keeps trapping is not called for a while
    limits::a_driver_that_spins_is_ended_and_holds_up_nobody_else hostile::exhaust_the_pool
    hostile::exhaust_the_pool_while_it_is_looked_at limits::a_driver_that_keeps_trapping_is_put_aside_and_gets_another_try
A version that does not pass the checks of an upgrade leaves the one before serving, and all that is stored as it was
    upgrades::what_is_no_fit_component_changes_nothing upgrades::what_registers_or_answers_otherwise_changes_nothing
    upgrades::what_asks_for_more_than_its_grant_has_changes_nothing upgrades::what_can_not_be_kept_changes_nothing
    upgrades::of_upgrades_at_once_each_comes_whole_or_not_at_all upgrades::a_grant_that_is_replaced_in_between_holds
    upgrades::a_daemon_that_is_killed_has_one_version_afterwards
    migration::one_that_fails_leaves_all_as_it_was migration::a_daemon_that_is_killed_in_a_migration_has_the_version_before
A rollback does not give back what the operator has taken from the grant since
    upgrades::a_rollback_keeps_a_grant_that_was_given_since
a component whose signature it does not allow is not compiled and not loaded, from a registry, a file, the drivers folder or another host
    signatures::a_signature_that_does_not_count_loads_nothing signatures::files_are_under_the_policy signatures::a_driver_that_moves_house_is_under_the_policy
    host/src/driver/trust/tests::each_reason_has_its_line host/src/driver/trust/tests::a_signature_is_of_its_component_alone
Only root's word (`--allow-unsigned`) loads one without a signature, and the log and the history say so
    signatures::without_a_signature_it_is_loaded_by_hand_and_that_is_seen
    host/src/driver/trust/tests::unsigned_is_allowed_by_hand_and_noted
What it logs and answers reaches a terminal without control characters and at a bounded length; no line of the daemon's log is longer than 8 KiB
    host/words/src/foreign::foreign_text_is_clipped_and_printable hostile::escapes_in_an_error hostile::endless_error
    hostile::escape_as_a_link inspect::a_manifest_does_not_reach_into_the_terminal host/src/serve/log::lines_are_bounded
A call answers within 20 seconds
    bounded::removing_what_is_not_there bounded::removing_without_end bounded::a_heap_of_rules bounded::a_heap_of_links
    bounded::a_namespace_full_of_links transactions::what_the_kernel_was_still_busy_with_when_time_was_up_is_undone
links that a failed call made are put out of the way at once and deleted afterwards, in groups between which others have the kernel's lock
    host/kernel/src/tests/condemning::a_condemned_pair_makes_room_at_once
    host/kernel/src/tests/condemning::a_heap_that_is_deleted_lets_others_in
    host/kernel/src/tests/condemning::a_full_namespace_that_is_removed_lets_others_in
The daemon ends within 13 seconds of SIGTERM, while it starts, too
    hostile/worst::for_whoever_stops_the_daemon confine::a_daemon_that_starts_ends_in_time

wasmtime's long-term release is used, with Cranelift, no garbage collection and no WASI
    claims::wasmtime_is_what_the_document_says
it can drop, mirror and redirect what is in them, and no more
    hostile::drop_everything hostile::drop_all_but_its_own hostile::redirect_another_network hostile::redirect_to_nobody

the daemon never maps code that came from a component, and its system call filter does not let memory become code
    engines::while_a_call_runs host/src/confine/system_calls::the_daemon_enters_network_namespaces_and_no_others
One process never runs two drivers' code
    engines::while_a_call_runs engines::a_call_sees_nothing_that_another_one_left
It starts at a driver's first call, and goes when there was none for 30 seconds
    engines::one_that_nobody_calls_any_more_goes
which are decoded and checked as an enemy's, past the same gate
    escaped::what_is_forged_is_refused escaped::what_is_no_message_ends_the_process escaped::what_is_out_of_turn_ends_the_process
    escaped::what_is_said_afterwards_is_for_nobody host/engine/src/channel::what_is_changed_or_cut_off_is_harmless
no file, no socket but those to the daemon, no network, no capability, a user whom nobody else is
    engines::while_a_call_runs
A process that dies, stalls or talks nonsense fails its driver's calls as a trap does; nobody else notices
    escaped::what_is_loud_is_cut_off escaped::what_is_endless_ends escaped::what_does_not_start_holds_nobody_up
`pontoon doctor` says what holds of each on this kernel
    confine::the_daemon_and_its_helpers_have_given_up_the_rest host/src/doctor/process::what_is_not_given_up_is_a_warning
    host/src/doctor/process::helpers_are_told_of_by_what_they_lack
Of what a kernel lacks, the daemon says so in a warning and goes on
    host/src/confine/files::a_kernel_that_has_none_is_told
| NET_ADMIN, SYS_ADMIN, NET_BIND_SERVICE | SYS_ADMIN, SYS_PTRACE, DAC_READ_SEARCH | SETUID, SETGID, SETPCAP, KILL | none | none |
    confine::the_daemon_and_its_helpers_have_given_up_the_rest limits::the_child_that_compiles_has_limits engines::while_a_call_runs confine::a_daemon_that_starts_ends_in_time
| no new privileges | yes | yes | yes | yes | yes |
    confine::the_daemon_and_its_helpers_have_given_up_the_rest limits::the_child_that_compiles_has_limits engines::while_a_call_runs confine::a_daemon_that_starts_ends_in_time
| user | root | root | root | one of its own
    engines::while_a_call_runs confine::a_daemon_that_starts_ends_in_time
its own: network, IPC, UTS, and mounts with one empty folder
    engines::while_a_call_runs
about 120; `setns` and `unshare` for network namespaces only; no program, child, new code, mount, ptrace, bpf, module, key or raw packet socket but one, open from before, that only sends: its filter takes in nothing and is locked
    host/kernel/src/transport/announcer::it_sends_and_receives_nothing
    host/src/confine/system_calls::the_daemon_enters_network_namespaces_and_no_others
    host/src/confine/system_calls::they_are_as_many_as_the_document_says
about 60; `mount` for bindings only; no socket, `execve` or `setns`
    host/src/confine/system_calls::the_keyholder_binds_and_mounts_nothing_else
    host/src/confine/system_calls::they_are_as_many_as_the_document_says
about 30 while it loads its code, then 21; another one ends it
    host/src/confine/system_calls::they_are_as_many_as_the_document_says escaped::a_system_call_outside_of_the_list_ends_the_process
    escaped::every_system_call_outside_of_the_list_ends_the_process
about 40; no file, socket, thread or child
    host/src/confine/system_calls::the_compiler_has_no_files_no_sockets_and_no_children
    host/src/confine/system_calls::they_are_as_many_as_the_document_says
No other file, no TCP connection but to etcd's ports where `[cluster]` names some, no signal to processes that it did not start, and none of their memory and files
    host/src/confine/files::the_daemon_reaches_its_own_files_and_no_others host/src/confine/files::a_node_of_a_cluster_connects_to_etcds_ports_alone host/src/confine/files::the_compiler_reaches_none
of which an engine process has none but the first
    engines::while_a_call_runs
When it ends, its processes end with it, and the daemon ends with a failure
    confine::the_daemon_and_its_helpers_end_with_each_other crash/mod::killed_at_random_moments
it opens a path that the daemon may not
    host/kernel/src/namespace/keyholder::it_opens_network_namespaces_and_nothing_else confine::namespaces_of_processes_and_of_drivers
binds and unbinds one under a name in `RUN/netns`
    host/kernel/src/namespace/keyholder::it_binds_network_namespaces_in_its_folder_and_nothing_else
    confine::namespaces_of_processes_and_of_drivers
When it ends, the daemon ends with a failure, too
    confine::the_daemon_and_its_helpers_end_with_each_other
No helper keeps a file open that the daemon inherited
    confine::what_the_daemon_inherited_does_not_reach_its_helpers
a pipe, device, socket or folder of such a name is an error and no wait
    confine::what_is_no_regular_file_holds_up_no_start host/words/src/file::only_regular_files_of_a_bounded_size_are_read
    host/src/config::a_file_that_is_named_must_be_there host/grant/src/file::its_size_is_limited
The files that it locks are not followed through symbolic links
    host/src/frontend/http/socket::a_lock_that_is_a_link_is_not_followed
    host/words/src/file::only_regular_files_of_a_bounded_size_are_read
The systemd unit sets the same from outside
    confine::the_unit_can_be_read_and_leaves_what_is_needed

is counted again in the commit
    host/store/src/tests/commits::a_limit_is_of_what_there_is_with_the_writes
wall clock, host calls and waits included
    limits::a_driver_that_spins_is_ended_and_holds_up_nobody_else hostile::spin hostile::wait_in_the_host
memory, summed over all memories
    limits::components_that_take_too_much_are_refused limits::what_exceeds_a_limit_of_the_call_ends_it hostile::allocate
host calls (`host-calls`)
    limits::what_exceeds_a_limit_of_the_call_ends_it hostile::flood_the_host
table elements; instances and tables; memories
    limits::components_that_take_too_much_are_refused
stack; handles at a time
    limits::components_that_take_too_much_are_refused hostile::recurse limits::what_exceeds_a_limit_of_the_call_ends_it
    hostile::leak_handles
bytes to the host in one host call or answer
    limits::what_exceeds_a_limit_of_the_call_ends_it hostile::large_message
items of one list; links
    limits::sizes_numbers_and_lists_are_refused_past_their_limits
changes to the kernel; removals of addresses, routes, neighbours and forwarding entries
    host/src/transaction/room::a_full_network_gets_no_more_objects hostile::remove_neighbours_without_end
keys and bytes written to store and tables
    limits::sizes_numbers_and_lists_are_refused_past_their_limits
log lines; bytes of a line or an error; of a trap's backtrace
    limits::a_call_logs_so_many_lines_of_so_many_bytes hostile::endless_error limits::of_a_traps_backtrace_so_many_bytes_are_logged
host calls and answers that are recorded
    recordings::what_is_too_large_to_keep_is_cut_and_said_so host/src/answers/recorded::what_is_too_large_is_left_out_from_there_on
random bytes at once
    limits::what_exceeds_a_limit_of_the_call_ends_it hostile::random_bytes
keys; values; tables' names; namespaces' names
    limits::sizes_numbers_and_lists_are_refused_past_their_limits hostile::huge_key hostile::huge_value hostile::nul_as_a_key
    hostile::path_as_a_table hostile::path_as_a_namespace
links of a driver, those included that the kernel has yet to delete
    hostile::many_links hostile::many_links_one_by_one bounded::the_kernel_never_holds_more_links_than_the_grant_allows
(`addresses`, `routes`)
    hostile::many_addresses hostile::many_addresses_at_once hostile::many_routes
neighbours, forwarding entries and WireGuard peers
    hostile::many_neighbours hostile::neighbours_and_forwarding_entries shares::neighbours_of_several_calls
namespaces of its own
    hostile::many_namespaces shares::namespaces_of_several_calls
host ports, once for each address
    hostile::many_ports_of_the_hosts_choice hostile::ports_by_tunnels shares::a_driver_leaves_as_many_ports_as_it_has
of the ephemeral ports, all drivers together
    shares::half_of_the_ephemeral_ports_stays_the_hosts
nftables and policy rules, chains of its own
    hostile::many_rules hostile::a_thousand_chains
sets of nftables rules; what is in them
    hostile::many_sets hostile::many_elements_one_by_one hostile::elements_over_many_sets
elements of the sets of a network; its rules that write a log
    host/grant/src/gate/tests/sets::elements_are_of_their_sets_kind_apart_and_so_many hostile::log_a_flood
    host/grant/src/gate/tests/sets::a_log_says_whose_it_is_and_few_rules_write_it
chains behind each other; rules that a packet may meet by jumps
    host/grant/src/gate/tests/chains::no_way_leads_in_a_circle_or_is_too_long
    host/grant/src/gate/tests/chains::ways_do_not_multiply_without_end
table entries (`table-entries`)
    hostile::many_entries
bytes in the store
    hostile::many_bytes
log bytes a second
    host/grant/src/rate::a_burst_then_a_refusal_that_is_counted hostile::flood_the_log
kernel objects of a network, all kinds together
    host/src/transaction/room::a_full_network_gets_no_more_objects
traps in a row before a function of a driver is put aside
    host/src/driver/aside::traps_in_a_row_put_a_function_aside_for_longer_and_longer
operations at the same time, of one driver; of all
    limits::so_many_calls_run_at_a_time_and_the_rest_wait hostile::exhaust_the_pool
engine processes; with those that compile
    engines::there_are_not_more_than_so_many
memory, beside the room for instances' memories that is mapped and empty
    engines::while_a_call_runs escaped::what_is_forged_is_refused
bytes of a message; of these, values of one byte
    host/engine/src/channel::what_is_large_is_not_larger_here escaped::what_is_no_message_ends_the_process
after a call's deadline, until it is ended
    escaped::what_is_endless_ends
bytes; of its manifest
    limits::components_that_take_too_much_are_refused host/src/driver/manifest::its_size_is_limited
earlier versions of a driver that are kept, with their components
    upgrades::so_many_versions_are_kept
one call of a migration; all calls of one, with the probe after it
    migration::one_that_fails_leaves_all_as_it_was
    host/src/controller/migrate::a_migration_holds_a_driver_up_for_no_longer_than_a_call_may_take
a driver as a file: its record; its state; its component
    host/src/driver/archive::hostile_files_are_refused_with_the_reason
compiling: memory, processor time, wall clock, output
    limits::the_child_that_compiles_has_limits limits::a_component_that_takes_too_long_to_compile_is_refused
    host/src/driver/compile::a_child_that_takes_too_long_or_writes_too_much_is_refused
connections of a socket
    host/src/frontend/admin/tests::connections_wait_for_a_free_place
    host/src/frontend/docker/tests/socket::a_crowded_socket_leaves_the_others_alone
bytes of a request's head; of a JSON body
    host/src/frontend/admin/tests::a_head_has_a_limit host/src/frontend/admin/tests::bodies_have_a_limit
    host/src/frontend/docker/tests/socket::a_length_that_is_too_large_is_refused_unread
a request's head; its body; an answer that is not read
    host/src/frontend/http/patience::a_head_that_does_not_end_ends_the_connection
    host/src/frontend/admin/tests::a_body_must_arrive_in_time host/src/frontend/admin/tests::an_answer_must_be_read
silence between two requests: of the admin socket; of a plugin's socket
    host/src/frontend/admin/tests::a_silent_connection_is_closed
    host/src/frontend/docker/tests/socket::an_idle_connection_outlasts_dockerds_patience
components that are uploaded at a time
    host/src/frontend/admin/tests::uploads_take_turns

A driver may do what its grant names, and nothing else
    host/grant/src/gate/tests::an_empty_grant_allows_only_what_every_driver_has
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it
    grants::without_a_grant_every_import_outside_of_the_table_is_refused
`driver load` shows what the driver asks for beside what it gets, and refuses it while the grant has less
    grants::a_driver_gets_what_its_operator_names_and_keeps_it host/src/cli/tests::a_driver_is_sent_with_its_configuration
    grants::what_a_driver_asks_for_can_be_granted_as_it_stands
A grant comes from `--grant FILE`
    host/src/cli/tests::a_driver_is_sent_with_its_configuration confine::what_is_no_regular_file_holds_up_no_start
    grants::what_a_driver_asks_for_can_be_granted_as_it_stands
permissions = ["links",
    host/grant/src/gate/tests::an_empty_grant_allows_only_what_every_driver_has
    host/grant/src/gate/tests/calls::nothing_is_granted_without_the_permission_for_the_host_call
namespaces = ["host", "container"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it
    host/grant/src/gate/tests::what_the_call_has_anyway_needs_no_word hostile::reach_into_the_container
addresses = ["network", "10.9.0.0/16"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::hijack_a_subnet hostile::address_of_nobody
pools = ["10.64.0.0/12"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::choose_the_hosts_lan hostile::choose_everything
routes = ["network", "default"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::default_route hostile::default_route_ipv6
parents = ["eth0"]
    host/grant/src/gate/tests/calls::a_link_is_built_on_a_parent_that_the_grant_names_and_that_still_has_the_name
    hostile::build_on_eth0 hostile::tunnel_without_a_parent
`changed-parents`
    grants::a_parent_is_built_on_and_not_changed
`parent-routes`
    grants::a_parent_is_routed_by_beside_the_host hostile::path_by_a_parent
`devices` only, and those by which the host's packets leave for the outside with `uplinks` beside it
    devices::what_a_driver_can_not_take
sysctls = ["link.ipv6-accept-ra", "host.ipv4-forwarding"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::setting_that_is_not_granted
    hostile::switch_forwarding_off
tables = ["peers"]
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::claim_a_foreign_table
hooks = { forward = [0], postrouting = [100] }
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::hook_that_is_not_granted
    hostile::priority_that_is_not_granted
mark-bits = "0x00ff0000"
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it hostile::mark_its_packets
`packet-log` and `untracked-packets`
    host/grant/src/gate/tests/sets::a_log_says_whose_it_is_and_few_rules_write_it hostile::log_without_leave
    host/grant/src/gate/tests/sets::a_statement_stands_where_the_kernel_can_do_it_and_the_grant_names_it
[limits] # memory-mib, call-milliseconds, host-calls
    host/grant/src/gate/tests::an_object_is_allowed_where_the_grant_names_it claims::the_numbers_are_the_codes
links = 200
    host/grant/src/file::the_readme_shows_one hostile::many_links
log-bytes-per-second; all have defaults
    claims::the_numbers_are_the_codes
`driver grant NAME` prints it, `--grant FILE` replaces it
    grants::a_driver_gets_what_its_operator_names_and_keeps_it
`driver grant COMPONENT --record` runs the conformance suite and prints the smallest one that it needed
    grants::the_smallest_grant_is_recorded_and_does host/grant/src/gate/tests::recording_finds_the_smallest_grant
Every decision is in the driver's audit: `driver audit NAME`; refusals are in the log, too
    host/grant/src/gate/tests::an_empty_grant_allows_only_what_every_driver_has
    grants::a_driver_gets_what_its_operator_names_and_keeps_it grants::refusals_are_in_the_log
"#;

/// The claims, each with its tests.
fn claims() -> Vec<(&'static str, Vec<&'static str>)> {
    let mut claims: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in CLAIMS.lines().filter(|line| !line.is_empty()) {
        match line.strip_prefix("    ") {
            Some(tests) => claims.last_mut().unwrap().1.extend(tests.split_whitespace()),
            None => claims.push((line, Vec::new())),
        }
    }
    claims
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What stands between a heading and the next one.
fn section(document: &'static str, heading: &str) -> &'static str {
    let rest = document.split(&format!("\n{heading}\n")).nth(1).unwrap();
    rest.split("\n#").next().unwrap()
}

/// A table's rows without their heads.
fn rows(text: &'static str) -> Vec<String> {
    let lines: Vec<_> = text.lines().collect();
    let is_head = |at: usize| [at, at + 1].iter().any(|at| lines.get(*at).is_some_and(|line| line.starts_with("|--")));
    (0..lines.len()).filter(|at| lines[*at].starts_with('|') && !is_head(*at)).map(|at| plain(lines[at])).collect()
}

fn sentences(text: &str) -> Vec<String> {
    plain(text).split(". ").map(str::to_owned).collect()
}

/// Everything that must have a test.
fn promises() -> Vec<String> {
    let mut all: Vec<_> = section(SECURITY, "## What is promised").split("\n- ").skip(1).flat_map(sentences).collect();
    all.extend(rows(section(SECURITY, "## What an escape from wasmtime would reach")));
    all.extend(rows(section(SECURITY, "## Limits")));
    let grants: Vec<_> = section(OPERATORS, "## Grants").split("```").collect();
    let [before, example, after] = grants[..] else { panic!("one example") };
    all.extend(example.lines().skip(1).filter(|line| !line.is_empty()).map(plain));
    all.extend([before, after].into_iter().flat_map(sentences).filter(|sentence| !sentence.is_empty()));
    all
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Whether a source has a test of this name. Those of hostile.rs are a macro's.
pub(crate) fn has_test(source: &str, name: &str) -> bool {
    let lines: Vec<_> = source.lines().map(str::trim_start).collect();
    let (function, attack) = (format!("fn {name}("), format!("{name}: \""));
    let is_test = |at: usize| {
        let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("#["));
        above.any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    let begins = |at: usize| lines[at].strip_prefix("async ").unwrap_or(lines[at]).starts_with(&function);
    let is_attack = |line: &&str| line.starts_with(&attack);
    (0..lines.len()).any(|at| begins(at) && is_test(at))
        || (source.contains("macro_rules! attacks") && lines.iter().any(is_attack))
}

#[test]
fn every_claim_has_a_test_that_is_there() {
    let documents = plain(SECURITY) + " " + &plain(section(OPERATORS, "## Grants"));
    for (claim, tests) in claims() {
        assert!(documents.contains(claim), "no document says: {claim}");
        assert!(!tests.is_empty(), "no test: {claim}");
        for test in tests {
            let (file, name) = test.rsplit_once("::").unwrap();
            let folder = if file.starts_with("host/") { root() } else { root().join("tests/scenarios") };
            let source = std::fs::read_to_string(folder.join(format!("{file}.rs")));
            let source = source.unwrap_or_else(|e| panic!("{test}, of {claim:?}: {e}"));
            assert!(has_test(&source, name), "there is no test {test}, of {claim:?}");
        }
    }
}

#[test]
fn every_promise_is_a_claim_here() {
    let (promises, claims) = (promises(), claims());
    let has_one = |promise: &&String| claims.iter().any(|(claim, _)| promise.contains(claim));
    let without: Vec<_> = promises.iter().filter(|promise| !has_one(promise)).collect();
    assert!(promises.len() > 50 && without.is_empty(), "without a test: {without:#?}");
}

/// With commas, as people write it.
fn count(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        _ => format!("{},{:03}", count(number / 1_000), number % 1_000),
    }
}

fn bytes(number: usize) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let (shift, unit) = units.into_iter().find(|(shift, _)| number >> shift > 0).unwrap();
    format!("{} {unit}", number >> shift)
}

#[test]
fn the_numbers_are_the_codes() {
    let rows = rows(section(SECURITY, "## Limits"));
    let row = |has: &str| rows.iter().find(|row| row.contains(has)).unwrap_or_else(|| panic!("no row has {has}"));
    let readme = section(OPERATORS, "## Grants");
    for limit in Limit::ALL {
        let word = limit.to_string();
        assert!(readme.contains(&word), "host/README.md has no {word}");
        for number in [limit.default(), limit.most()] {
            let shown = match word.as_str() {
                "memory-mib" => format!("{number} MiB"),
                "call-milliseconds" => format!("{} s", number / 1_000),
                word if word.contains("bytes") => bytes(usize::try_from(number).unwrap()),
                _ => count(number),
            };
            let row = row(&format!("`{word}`"));
            assert!(row.contains(&shown), "{shown} is not in: {row}");
        }
    }
    let number = |number: usize| count(number as u64);
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let [head, body, stall] = [http::HEAD_TIMEOUT, http::BODY_TIMEOUT, http::STALL_TIMEOUT].map(seconds);
    let silence = [http::Limits::default().idle, docker::IDLE_TIMEOUT].map(seconds).join("; ");
    let written = format!("{} and {}", number(limit::WRITTEN_KEYS), bytes(limit::WRITTEN_BYTES));
    for (has, shown) in [
        ("table elements;", format!("{}; {} of each", number(limit::TABLE_ELEMENTS), limit::INSTANCES)),
        ("stack; handles", format!("{}; {}", bytes(limit::STACK), number(limit::HANDLES))),
        ("bytes to the host in one", bytes(limit::HOST_CALL_BYTES)),
        ("changes to the kernel;", format!("{0}; {0}", number(limit::CHANGES))),
        ("keys and bytes written", written),
        ("log lines;", format!("{}; {}; {}", limit::LOG_LINES, number(MESSAGE_BYTES), number(limit::TRAP_BYTES))),
        ("that are recorded", bytes(limit::RECORDED)),
        ("kernel objects of a network", number(limit::OBJECTS)),
        ("operations at the same time", format!("{}; {}", limit::DRIVER_CALLS, limit::CALLS)),
        ("bytes; of its manifest", bytes(http::MAX_COMPONENT)),
        ("connections of a socket", number(http::MAX_CONNECTIONS)),
        ("bytes of a request's head;", format!("{}; {}", bytes(http::MAX_HEAD), bytes(http::MAX_JSON))),
        ("a request's head; its body;", format!("{head}; {body}; {stall}")),
        ("silence between two requests", silence),
        ("uploaded at a time", number(http::MAX_UPLOADS)),
    ] {
        let row = row(has);
        assert!(row.contains(&format!("| {shown}")), "{shown} is not in: {row}");
    }
}

#[test]
fn the_files_that_are_named_are_there() {
    let named: Vec<_> = SECURITY.split('`').filter(|word| word.starts_with("host/")).collect();
    assert!(!named.is_empty());
    for file in named {
        assert!(root().join(file).exists(), "{file}");
    }
}

/// Every twelfth release of wasmtime is kept for long.
#[test]
fn wasmtime_is_what_the_document_says() {
    let read = |file: &str| std::fs::read_to_string(root().join(file)).unwrap();
    let (manifest, lock) = (read("host/engine/Cargo.toml"), read("Cargo.lock"));
    let line = manifest.lines().find(|line| line.starts_with("wasmtime = ")).unwrap();
    assert!(line.contains("default-features = false") && line.contains("\"cranelift\""), "{line}");
    assert!(!line.contains("\"gc") && !line.contains("wasi"), "{line}");
    let release = line.split("version = \"").nth(1).and_then(|rest| rest.split('.').next()).unwrap();
    assert_eq!(release.parse::<u32>().unwrap() % 12, 0, "{line}");
    assert!(!lock.contains("name = \"wasmtime-wasi"), "there is WASI in Cargo.lock");
}
