//! Episodes: resets, the time limit, set states. These need libmujoco, as `parity.rs` says.

#![expect(clippy::unwrap_used, reason = "a helper's failure is the test's")]

use envs::{Action, Env, MujocoEnv, Spec, make};
use state::Archive;
use std::collections::BTreeSet;
use streams::Stream;

/// One task of each model of D4RL and OGBench, and all of Gymnasium's.
fn one_of_each() -> Vec<&'static Spec> {
    let mut seen = BTreeSet::new();
    let mut tasks = envs::list();
    tasks.retain(|spec| spec.package.starts_with("gymnasium") || seen.insert((spec.model, spec.goal_dim)));
    tasks
}

#[test]
fn a_reset_depends_on_its_stream_alone() {
    for spec in one_of_each() {
        let mut env = make(spec.id).unwrap();
        env.reset(&mut Stream::new(5, "env"));
        let first = env.observation().to_vec();
        assert_eq!(first.len(), spec.observation_dim, "{}", spec.id);
        let action = vec![spec.action_limit; spec.action_dim];
        for _ in 0..20 {
            env.step(Action::F64(&action));
        }
        assert_ne!(env.observation(), first, "{}", spec.id);
        env.reset(&mut Stream::new(5, "env"));
        assert_eq!(env.observation(), first, "{}", spec.id);
        env.reset(&mut Stream::new(6, "env"));
        assert_ne!(env.observation(), first, "{}", spec.id);
    }
}

/// In every task, from any moment of an episode: another environment that takes the state up goes on with the same
/// bits, whatever it did before.
#[test]
fn a_state_that_is_taken_up_goes_on_to_the_same_bits() {
    for spec in one_of_each() {
        let (mut env, mut other) = (make(spec.id).unwrap(), make(spec.id).unwrap());
        let (starts, draws) = (&mut Stream::new(1, "env"), &mut Stream::new(2, "actions"));
        let mut draw = || {
            let mut number = || draws.uniform_in(-spec.action_limit, spec.action_limit) as f32;
            (0..spec.action_dim).map(|_| number()).collect::<Vec<f32>>()
        };
        env.reset(starts);
        other.reset(starts);
        for moment in [0, 1, 7, 40, 200] {
            for _ in 0..moment {
                let step = env.step(Action::F32(&draw()));
                other.step(Action::F32(&draw()));
                if step.terminated {
                    env.reset(starts);
                }
            }
            let bytes = Archive::save(|archive| env.state(archive)).unwrap();
            Archive::load(&bytes, |archive| other.state(archive)).unwrap();
            assert_eq!(env.observation(), other.observation(), "{} at {moment}", spec.id);
            for _ in 0..100 {
                let action = draw();
                let (step, again) = (env.step(Action::F32(&action)), other.step(Action::F32(&action)));
                assert_eq!(step, again, "{} at {moment}", spec.id);
                assert_eq!(env.observation(), other.observation(), "{} at {moment}", spec.id);
            }
        }
    }
}

#[test]
fn reset_noise_is_gymnasiums() {
    // Scale of the positions' noise (uniform) and of the velocities', and whether the latter is normal.
    for (id, position, velocity, normal) in [
        ("HalfCheetah-v5", 0.1, 0.1, true),
        ("Ant-v4", 0.1, 0.1, true),
        ("Hopper-v5", 5e-3, 5e-3, false),
        ("Walker2d-v4", 5e-3, 5e-3, false),
        ("Humanoid-v5", 1e-2, 1e-2, false),
        ("InvertedPendulum-v4", 1e-2, 1e-2, false),
    ] {
        let mut env = MujocoEnv::new(id).unwrap();
        let pose = env.qpos().to_vec();
        let mut stream = Stream::new(0, "env");
        let n = 400;
        let (mut positions, mut velocities) = (vec![], vec![]);
        for _ in 0..n {
            env.reset(&mut stream);
            positions.extend(env.qpos().iter().zip(&pose).map(|(q, p)| q - p));
            velocities.extend_from_slice(env.qvel());
        }
        let deviation = |x: &[f64]| (x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64).sqrt();
        let highest = |x: &[f64]| x.iter().fold(0.0, |m: f64, x| m.max(x.abs()));
        let check = |name: &str, x: &[f64], scale: f64, normal: bool| {
            let expected = if normal { scale } else { scale / 3f64.sqrt() };
            // Six standard errors of a normal sample's deviation, which is the wider of the two.
            let error = 6.0 / (2.0 * x.len() as f64).sqrt();
            assert!((deviation(x) / expected - 1.0).abs() < error, "{id} {name}: {}", deviation(x));
            // The reference pose plus the noise minus the pose is rounded.
            assert_eq!(highest(x) > scale * 1.000_001, normal, "{id} {name}: {}", highest(x));
        };
        check("qpos", &positions, position, false);
        check("qvel", &velocities, velocity, normal);
    }
}

/// A table of what a Python package registers, recorded by the scripts of `tests/parity`.
fn table(name: &str) -> Vec<(String, Vec<f64>)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/parity/golden");
    let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let rows = text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once(',').unwrap());
    rows.map(|(id, rest)| (id.to_owned(), rest.split(',').map(|x| x.parse().unwrap()).collect())).collect()
}

#[test]
fn d4rls_limits_reference_scores_and_goals_are_those_that_it_registers() {
    let table = table("d4rl.csv");
    let listed: Vec<_> =
        envs::list().iter().filter(|spec| spec.package == "d4rl 1.1").map(|spec| spec.id).collect();
    assert_eq!(Vec::from_iter(table.iter().map(|(id, _)| id)), listed);
    for (id, row) in table {
        let spec = envs::info(&id).unwrap();
        assert_eq!(f64::from(spec.max_episode_steps), row[0], "{id}");
        assert_eq!(spec.reference_returns, Some([row[1], row[2]]), "{id}");
        let [_, _, _, x, y] = row[..] else { continue };
        let mut env = MujocoEnv::new(&id).unwrap();
        let (mut stream, n) = (Stream::new(0, "env"), 1000);
        let mut mean = [0.0; 2];
        for _ in 0..n {
            env.reset(&mut stream);
            (0..2).for_each(|i| mean[i] += env.goal()[i] / f64::from(n));
            assert!(env.qpos()[..2].iter().all(|x| x.abs() <= 0.1));
        }
        // Six standard errors of the difference of two means, of a sum of uniform numbers on 1 and on 0.5.
        let error = 6.0 * (2.0 * (1.0 + 0.25) / 12.0 / f64::from(n)).sqrt();
        assert!((mean[0] - x).abs() < error && (mean[1] - y).abs() < error, "{id}: {mean:?} for {x}, {y}");
    }
}

#[test]
fn ogbenchs_tasks_are_those_that_it_registers() {
    let table = table("ogbench.csv");
    assert_eq!(table.len(), 96);
    for (id, row) in table {
        assert_eq!(f64::from(envs::info(&id).unwrap().max_episode_steps), row[0], "{id}");
        let mut env = MujocoEnv::new(&id).unwrap();
        env.reset(&mut Stream::new(0, "env"));
        if id.starts_with("puzzle") || id.starts_with("scene") {
            let n = env.goal().len();
            assert_eq!(env.goal(), &row[1..=n], "{id}");
            continue;
        }
        let (start, goal) = row[1..].split_at(row.len() - 1 - env.goal().len());
        assert_eq!(env.goal(), goal, "{id}");
        // A cube's coordinates lie behind those of arm and gripper, seven of each.
        let (places, tolerance): (Vec<&[f64]>, f64) = if id.starts_with("cube") {
            (env.qpos()[14..].chunks_exact(7).map(|cube| &cube[..3]).collect(), 0.01)
        } else if id.starts_with("antsoccer") {
            (vec![&env.qpos()[..2], &env.qpos()[15..17]], 1.0)
        } else {
            (vec![&env.qpos()[..2]], 1.0)
        };
        for (found, start) in places.concat().iter().zip(start) {
            assert!((found - start).abs() <= tolerance, "{id}: {found} instead of {start}");
        }
    }
}

#[test]
fn the_name_of_an_ogbench_data_set_is_that_of_its_task() {
    let check = |name: &str, id: &str| assert_eq!(envs::info(name).unwrap().id, id);
    check("antmaze-large-navigate-singletask-task3-v0", "antmaze-large-singletask-task3-v0");
    check("antmaze-large-stitch-singletask-v0", "antmaze-large-singletask-v0");
    assert!(envs::info("antmaze-large-dreamt-singletask-v0").is_err());
}

#[test]
fn reaching_the_goal_ends_an_episode_and_is_a_success() {
    // D4RL pays 1 there and 0 elsewhere, OGBench 0 and -1.
    for (id, there, elsewhere) in
        [("antmaze-umaze-v2", 1.0, 0.0), ("antmaze-medium-singletask-task1-v0", 0.0, -1.0)]
    {
        let mut env = MujocoEnv::new(id).unwrap();
        env.reset(&mut Stream::new(0, "env"));
        assert_eq!(env.success(), None);
        let step = env.step(Action::F32(&[0.0; 8]));
        assert_eq!((step.reward, step.terminated, env.success()), (elsewhere, false, Some(false)), "{id}");
        let goal = env.goal().to_vec();
        let (mut qpos, qvel) = (env.qpos().to_vec(), env.qvel().to_vec());
        qpos[..2].copy_from_slice(&goal);
        env.set_state(&qpos, &qvel);
        let step = env.step(Action::F32(&[0.0; 8]));
        assert_eq!((step.reward, step.terminated, env.success()), (there, true, Some(true)), "{id}");
    }
}

#[test]
fn an_episode_is_truncated_at_the_limit_and_begins_anew() {
    let mut env = make("HalfCheetah-v5").unwrap();
    let mut stream = Stream::new(0, "env");
    for _ in 0..2 {
        env.reset(&mut stream);
        for t in 1..=1001 {
            let step = env.step(Action::F32(&[0.0; 6]));
            assert_eq!((step.terminated, step.truncated), (false, t >= 1000), "step {t}");
        }
    }
}

#[test]
fn the_healthy_reward_on_the_terminating_step_tells_the_versions_apart() {
    for (id, expect) in [("InvertedPendulum-v4", 1.0), ("InvertedPendulum-v5", 0.0)] {
        let mut env = MujocoEnv::new(id).unwrap();
        env.start_from(&[0.0, 0.3], &[0.0, 0.0]);
        let step = env.step(Action::F64(&[0.0]));
        assert_eq!((step.terminated, step.reward), (true, expect), "{id}");
    }
    // 1 of the reward is for being healthy.
    let reward = |id| {
        let mut env = MujocoEnv::new(id).unwrap();
        let (mut qpos, qvel) = (env.qpos().to_vec(), env.qvel().to_vec());
        qpos[2] = 0.5;
        env.start_from(&qpos, &qvel);
        let step = env.step(Action::F64(&[0.0; 3]));
        assert!(step.terminated, "{id}");
        step.reward
    };
    assert_eq!(reward("Hopper-v4"), reward("Hopper-v5") + 1.0);
}

#[test]
fn a_set_state_is_seen_at_once_and_does_not_restart_the_clock() {
    let mut env = MujocoEnv::new("Hopper-v5").unwrap();
    let (qpos, qvel) = ([0.0, 1.3, 0.1, -0.2, -0.3, 0.4], [20.0, 0.0, 0.0, 0.0, 0.0, -30.0]);
    env.set_state(&qpos, &qvel);
    assert_eq!((env.qpos(), env.qvel()), (qpos.as_slice(), qvel.as_slice()));
    // Velocities are clipped to 10 in what is seen only.
    assert_eq!(env.observation(), [1.3, 0.1, -0.2, -0.3, 0.4, 10.0, 0.0, 0.0, 0.0, 0.0, -10.0]);
    for _ in 0..999 {
        env.step(Action::F32(&[0.0; 3]));
    }
    env.set_state(&qpos, &qvel);
    assert!(env.step(Action::F32(&[0.0; 3])).truncated);
    env.start_from(&qpos, &qvel);
    assert!(!env.step(Action::F32(&[0.0; 3])).truncated);
}

#[test]
fn environments_run_in_threads_of_their_own() {
    let run = |mut env: Box<dyn Env>| {
        env.reset(&mut Stream::new(1, "env"));
        (0..100).map(|_| env.step(Action::F32(&[0.3; 8])).reward).collect::<Vec<_>>()
    };
    let expect = run(make("Ant-v5").unwrap());
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(move || run(make("Ant-v5").unwrap()))).collect();
    threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), expect));
}

#[test]
#[should_panic(expected = "length of an action of Ant-v5")]
fn an_action_of_another_length_is_a_programmers_error() {
    make("Ant-v5").unwrap().step(Action::F32(&[0.0; 7]));
}

/// The termination that models of a task use says of every observation what the simulator says of its state.
#[test]
fn terminations_by_observation_are_the_simulators() {
    let mut count = 0;
    for spec in envs::list() {
        let Ok(ends) = envs::termination(spec.id) else { continue };
        count += 1;
        let mut env = make(spec.id).unwrap();
        let (starts, draws) = (&mut Stream::new(1, "env"), &mut Stream::new(2, "actions"));
        let mut terminations = 0;
        env.reset(starts);
        for t in 0..1500 {
            let mut number = || draws.uniform_in(-spec.action_limit, spec.action_limit) as f32;
            let action: Vec<f32> = (0..spec.action_dim).map(|_| number()).collect();
            let step = env.step(Action::F32(&action));
            let s: Vec<f32> = env.observation().iter().map(|x| *x as f32).collect();
            assert_eq!(ends(&s), step.terminated, "{} at {t}: {s:?}", spec.id);
            if step.terminated {
                terminations += 1;
                env.reset(starts);
            }
        }
        let never = spec.ends == "never";
        assert!(if never { terminations == 0 } else { terminations > 0 }, "{}: {terminations}", spec.id);
        let broken = vec![f32::NAN; spec.observation_dim];
        assert_eq!(ends(&broken), !never, "{}", spec.id);
    }
    assert_eq!(count, 12, "all of Gymnasium's");
    assert!(envs::termination("Mock-v0").is_err() && envs::termination("antmaze-umaze-v2").is_err());
}
