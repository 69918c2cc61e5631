#!/usr/bin/env bash
# A Slurm of one node, for tests: cluster.sh FOLDER CONTROLLER_PORT NODE_PORT
#
# Any user can start it, where Debian's slurm-wlm and munge are installed. FOLDER is private to it, and SLURM_CONF is
# FOLDER/slurm.conf. It says `ready` when jobs can be submitted. A line `controller ID` on its standard input starts the
# controller anew, whose first job gets that id. When its input closes it ends its daemons and what jobs they still have,
# so nothing outlives whoever started it. It listens on 127.0.0.1 only.
set -euo pipefail
umask 022
folder=$1
export PATH="$PATH:/usr/sbin:/sbin" SLURM_CONF="$folder/slurm.conf"
mkdir -p "$folder"/{run,log,spool,state}
chmod 711 "$folder"
cd "$folder"

cat >slurm.conf <<END
ClusterName=itest
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$folder/run/munge.sock
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
ReturnToService=2
SlurmctldPort=$2
SlurmdPort=$3
SlurmctldPidFile=$folder/run/slurmctld.pid
SlurmdPidFile=$folder/run/slurmd.pid
SlurmdSpoolDir=$folder/spool
StateSaveLocation=$folder/state
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd.log
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=1,sched_min_interval=100000,batch_sched_delay=0
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
# Few, so that a campaign is more than one array.
MaxArraySize=4
FirstJobId=1
# The controller that comes later has another first id.
DebugFlags=NO_CONF_HASH
KillWait=2
MinJobAge=300
SlurmctldTimeout=30
SlurmdTimeout=30
NodeName=localhost NodeAddr=127.0.0.1 CPUs=4 RealMemory=2000 State=UNKNOWN
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END

# From 23 on it looks for control groups that an ordinary user does not have.
test "$(slurmd -V | grep -o '[0-9]*' | head -n 1)" -lt 23 || echo CgroupPlugin=disabled >cgroup.conf

controller() { slurmctld -D -f "$SLURM_CONF" >>log/out 2>&1 9>&- & }

# What has our SLURM_CONF or is at home in our folder is ours: daemons, steps, jobs.
ours() {
    local process
    for process in /proc/[0-9]*; do
        tr '\0' '\n' <"$process/environ" | grep -qxF "SLURM_CONF=$SLURM_CONF" ||
            [[ $(readlink "$process/cwd")/ = "$folder"/* ]] || continue
        process=${process#/proc/}
        test "$process" = $$ || test "$process" = "$BASHPID" || echo "$process"
    done 2>/dev/null
}

end() {
    trap - EXIT
    local daemon
    for daemon in slurmctld slurmd munged; do
        test ! -s "run/$daemon.pid" || kill -KILL "$(cat "run/$daemon.pid")" 2>/dev/null || true
    done
    ours | xargs -r kill -KILL 2>/dev/null || true
}
trap end EXIT
trap exit INT TERM HUP

(umask 077 && dd if=/dev/urandom of=run/munge.key bs=1024 count=1 status=none && chmod 400 run/munge.key)
munged -F --socket="$folder/run/munge.sock" --key-file="$folder/run/munge.key" --pid-file="$folder/run/munged.pid" \
    --seed-file="$folder/run/munge.seed" --log-file="$folder/log/munged.log" >>log/out 2>&1 &
until test -S run/munge.sock; do
    kill -0 $! 2>/dev/null || { cat log/munged.log log/out >&2; exit 1; }
    sleep 0.05
done
controller
slurmd -D -f "$SLURM_CONF" -N localhost >>log/out 2>&1 &
for _ in $(seq 300); do
    test "$(sinfo -h -o %T 2>/dev/null)" != idle || break
    sleep 0.1
done
test "$(sinfo -h -o %T)" = idle || { tail log/out log/*.log >&2; exit 1; }
echo ready
while read -r _ id; do
    sed -i "s/^FirstJobId=.*/FirstJobId=$id/" slurm.conf
    controller
done
