"""What the seccomp filter of another process says of a system call: read with ptrace, run here."""
import ctypes
import os
import platform
import struct

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, PTRACE_SECCOMP_GET_FILTER = 0x4206, 0x4207, 17, 0x420c
WALL = 0x40000000
ALLOW = 0x7fff0000

# audit's number of the machine, and its system calls
MACHINES = {
    "x86_64": (0xC000003E, dict(
        read=0, write=1, close=3, exit_group=231, execve=59, execveat=322, fork=57, vfork=58, clone=56, ptrace=101,
        socket=41, connect=42, bind=49, listen=50, mount=165, setuid=105, setgid=106, setresuid=117, chroot=161, unshare=272,
        kexec_load=246, init_module=175, finit_module=313, bpf=321, process_vm_readv=310, process_vm_writev=311,
        open_by_handle_at=304, io_uring_setup=425, userfaultfd=323, perf_event_open=298, keyctl=250, seccomp=317,
        personality=135, memfd_create=319, pidfd_getfd=438)),
    "aarch64": (0xC00000B7, dict(
        read=63, write=64, close=57, exit_group=94, execve=221, execveat=281, clone=220, ptrace=117, socket=198, connect=203,
        bind=200, listen=201, mount=40, setuid=146, setgid=144, setresuid=147, chroot=51, unshare=97, kexec_load=104,
        init_module=105, finit_module=273, bpf=280, process_vm_readv=270, process_vm_writev=271,
        open_by_handle_at=265, io_uring_setup=425, userfaultfd=282, perf_event_open=241, keyctl=219, seccomp=277,
        personality=92, memfd_create=279, pidfd_getfd=438)),
}
ARCH, CALLS = MACHINES[platform.machine()]

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, address=None, data=None):
    result = libc.ptrace(request, pid, address, data)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def filter_of(pid):
    """The first filter of a process, as instructions (code, jt, jf, k); only root may ask."""
    ptrace(PTRACE_SEIZE, pid)
    try:
        ptrace(PTRACE_INTERRUPT, pid)
        os.waitpid(pid, WALL)
        octets = ctypes.create_string_buffer(8 * ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0))
        ptrace(PTRACE_SECCOMP_GET_FILTER, pid, 0, ctypes.addressof(octets))
    finally:
        ptrace(PTRACE_DETACH, pid)
    return [struct.unpack_from("=HBBI", octets, at) for at in range(0, len(octets), 8)]


JUMPS = {0x10: lambda a, k: a == k, 0x20: lambda a, k: a > k, 0x30: lambda a, k: a >= k, 0x40: lambda a, k: a & k}
SUMS = {0x40: lambda a, k: a | k, 0x50: lambda a, k: a & k, 0x00: lambda a, k: a + k & 0xffffffff,
        0x70: lambda a, k: a >> k}


def verdict(program, number, arguments=(), arch=ARCH):
    """What the program returns for a call (linux/filter.h; struct seccomp_data)."""
    words = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("=iIQ6Q", number, arch, 0, *words)
    at = accumulator = 0
    while True:
        code, yes, no, k = program[at]
        at += 1
        if code == 0x20:  # load a word of the data
            accumulator = struct.unpack_from("=I", data, k)[0]
        elif code & 7 == 5:  # jump
            at += k if code & 0xf0 == 0 else yes if JUMPS[code & 0xf0](accumulator, k) else no
        elif code & 7 == 6:  # return
            return k
        elif code & 7 == 4:  # arithmetic with a constant
            accumulator = SUMS[code & 0xf0](accumulator, k)
        else:
            raise AssertionError(f"an instruction that libseccomp does not make: {code:#x}")


def allows(program, name, *arguments, arch=ARCH, more=0):
    return verdict(program, CALLS[name] | more, arguments, arch) == ALLOW
