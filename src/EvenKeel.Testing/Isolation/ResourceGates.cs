using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// The resource gates are where tests wait until they may have what they claim. All claims of a test are taken in one order, that of the
/// names, so that no two tests wait for each other.
/// </summary>
public sealed class ResourceGates
{
    private static readonly TimeSpan FilePause = TimeSpan.FromMilliseconds(10);
    private readonly LeaseFolder _folder;
    private readonly TimeProvider _time;
    private readonly ConcurrentDictionary<string, ResourceLock> _locks = new(StringComparer.Ordinal);

    internal ResourceGates(LeaseFolder folder, TimeProvider time)
    {
        _folder = folder;
        _time = time;
    }

    /// <summary>Waits until all claims can be held together.</summary>
    /// <param name="claims">What is needed; of several on one resource the strongest counts.</param>
    /// <param name="holder">Who asks, for messages.</param>
    /// <param name="limit">The longest wait for each.</param>
    /// <param name="cancellationToken">Ends the wait; nothing is held then.</param>
    /// <returns>Dispose of it to end the claims.</returns>
    /// <exception cref="TimeoutException">Not within the limit; the message names the resource and who has it.</exception>
    public async Task<IDisposable> EnterAsync(
        IEnumerable<ResourceClaim> claims, string holder, TimeSpan limit, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(claims);
        var held = new Held();
        try
        {
            foreach (var claim in Merged(claims))
            {
                var gate = _locks.GetOrAdd(claim.Resource, static resource => new ResourceLock(resource));
                await gate.EnterAsync(claim.Access, holder, limit, _time, cancellationToken).ConfigureAwait(false);
                held.Add(() => gate.Exit(holder));
                if (claim.AcrossProcesses)
                    held.Add((await TakeFileAsync(claim, holder, limit, cancellationToken).ConfigureAwait(false)).Dispose);
            }
            return held;
        }
        catch
        {
            held.Dispose();
            throw;
        }
    }

    private static IEnumerable<ResourceClaim> Merged(IEnumerable<ResourceClaim> claims) =>
        claims.GroupBy(claim => claim.Resource, StringComparer.Ordinal)
            .OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => new ResourceClaim(
                group.Key, group.Max(claim => claim.Access), group.Any(claim => claim.AcrossProcesses)));

    /// <summary>
    /// Whoever wants in takes the door first and keeps it until it is in: a writer that waits for readers to leave lets no new ones in.
    /// </summary>
    private async Task<LeaseFile> TakeFileAsync(ResourceClaim claim, string holder, TimeSpan limit, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var name = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(claim.Resource)))[..32];
        using var door = await TakeAsync($"resource-{name}-door.lock", false).ConfigureAwait(false);
        return await TakeAsync($"resource-{name}.lock", claim.Access == Access.Read).ConfigureAwait(false);

        async Task<LeaseFile> TakeAsync(string file, bool isShared)
        {
            while (true)
            {
                if (_folder.TryTake(file, isShared) is { } lease)
                    return lease;
                if (_time.GetElapsedTime(start) > limit)
                    throw new TimeoutException(
                        $"'{holder}' did not get '{claim.Resource}' to {claim.Access} within {limit}: another process has it "
                        + $"({_folder.Of(file)}).");
                await Task.Delay(FilePause, _time, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>What is held, given back in the reverse order.</summary>
    private sealed class Held : IDisposable
    {
        private readonly Stack<Action> _ends = new();

        public void Add(Action end) => _ends.Push(end);

        public void Dispose()
        {
            while (_ends.TryPop(out var end))
                end();
        }
    }
}
