//! A driver whose every method fails or traps in turn: dockerd's user hears of it, and nothing is left.

use pontoon_tests::Machine;

use crate::with_every_dockerd;

with_every_dockerd!(every_method_fails_in_turn);

/// What of a container's life fails when a method does. dockerd swallows the errors of the others.
const METHODS: [(&str, Fails); 9] = [
    ("create-network", Fails::Create),
    ("create-endpoint", Fails::Run),
    ("join", Fails::Run),
    ("program-external-connectivity", Fails::Run),
    ("endpoint-oper-info", Fails::RunOrNothing),
    ("revoke-external-connectivity", Fails::Nothing),
    ("leave", Fails::Nothing),
    ("delete-endpoint", Fails::Nothing),
    ("delete-network", Fails::Nothing),
];

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Create,
    Run,
    RunOrNothing,
    Nothing,
}

fn every_method_fails_in_turn(version: &str) {
    let machine = Machine::start(version);
    machine.pontoon(&format!("driver load {} --name probe", pontoon_tests::driver("test/probe").display()));
    let before = machine.host.dump();
    for how in ["fail", "trap"] {
        for (method, fails) in METHODS {
            let create =
                format!("network create -d probe --subnet 10.31.0.0/24 -o probe.gateway=yes -o probe.{how}={method} n");
            if fails == Fails::Create {
                let refusal = machine.try_docker(&create).unwrap_err();
                assert!(refusal.contains(method), "{refusal}");
                machine.is_clean(&before);
                continue;
            }
            machine.docker(&create);
            let ran = machine.try_docker("run -d --name c1 --network n bb:1 sleep 1d");
            match fails {
                Fails::Nothing => drop(ran.unwrap()),
                Fails::RunOrNothing => {}
                _ => assert!(ran.as_ref().unwrap_err().contains(method), "{how} {method}: {ran:?}"),
            }
            machine.agree();
            machine.docker("rm -f c1");
            machine.docker("network rm n");
            machine.is_clean(&before);
        }
    }
}
