using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <summary>
/// All signals blocked for the calling thread until disposal, so that a thread which native code starts meanwhile blocks them for good.
/// librdkafka does this for the threads of a client, but not for that of its mock cluster: a signal that interrupts its <c>poll</c> (a
/// child process that ends, a process that is stopped and goes on) makes it close all brokers without a word.
/// </summary>
internal readonly unsafe ref partial struct BlockedSignals : IDisposable
{
    // sigset_t: 128 bytes with glibc and musl, 4 with macOS. 'How' has other numbers on macOS.
    private const int SetBytes = 128;
    private static readonly int SetMask = OperatingSystem.IsMacOS() ? 3 : 2;

    private readonly Set _before;

    private BlockedSignals(Set before) => _before = before;

    /// <summary>Until disposal, no managed code that may wait: the runtime's own signals are blocked too.</summary>
    public static BlockedSignals Begin()
    {
        Set before = default;
        if (!OperatingSystem.IsWindows())
        {
            Set all = default;
            if (FillSet(&all) != 0)
                throw new InvalidOperationException("sigfillset failed, which it cannot.");
            ThrowIfFailed(SetThreadMask(SetMask, &all, &before));
        }
        return new BlockedSignals(before);
    }

    public void Dispose()
    {
        if (OperatingSystem.IsWindows())
            return;
        var before = _before;
        ThrowIfFailed(SetThreadMask(SetMask, &before, null));
    }

    private static void ThrowIfFailed(int error)
    {
        if (error != 0)
            throw new InvalidOperationException($"pthread_sigmask failed: {Marshal.GetPInvokeErrorMessage(error)} (errno {error}).");
    }

    [LibraryImport("libc", EntryPoint = "sigfillset")]
    private static partial int FillSet(Set* set);

    [LibraryImport("libc", EntryPoint = "pthread_sigmask")]
    private static partial int SetThreadMask(int how, Set* set, Set* before);

    private struct Set
    {
        private fixed byte _bits[SetBytes];
    }
}
