using System.Collections;
using System.Diagnostics;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// The leak check compares the process with what it was at first: what is there now and was not there then is a leak of the tests that ran
/// since the look before. It looks at the environment after each test, at threads, child processes, ports and, where the process has a
/// temporary folder of its own, files, when it is told to, since that takes milliseconds.
/// </summary>
public sealed class LeakCheck
{
    private const int MaxOwners = 5;

    // A client's threads are gone some time after its disposal has returned.
    private static readonly TimeSpan Settling = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookPause = TimeSpan.FromMilliseconds(20);
    private static readonly TimeProvider RealTime = TimeProvider.System;

    private readonly Lock _gate = new();
    private readonly OwnTempFolder? _temp;
    private readonly HashSet<Finding> _atFirst;
    private readonly Dictionary<string, string> _environmentAtFirst;

    // Guarded by _gate.
    private readonly Dictionary<Finding, string?> _owners = [];
    private readonly HashSet<string> _running = [];
    private readonly HashSet<string> _sinceLook = [];
    private Dictionary<string, string> _environment;
    private IReadOnlyList<Leak> _filesLeft = [];
    private bool _hasEndedFiles;

    internal LeakCheck(OwnTempFolder? temp)
    {
        _temp = temp;
        _atFirst = [.. Present()];
        _environment = _environmentAtFirst = EnvironmentNow();
    }

    /// <summary>A test begins.</summary>
    /// <param name="test">Its name.</param>
    public void Begin(string test)
    {
        lock (_gate)
        {
            _running.Add(test);
            _sinceLook.Add(test);
        }
    }

    /// <summary>A test has ended, its clean-up included.</summary>
    /// <param name="test">Its name.</param>
    /// <param name="looksAtAll">Also at threads, child processes and ports, to know exactly whose they are.</param>
    /// <returns>The clients that it made and did not dispose of.</returns>
    public IReadOnlyList<Leak> End(string test, bool looksAtAll = false)
    {
        lock (_gate)
        {
            LookAtEnvironmentLocked();
            if (looksAtAll)
                LookLocked();
            _running.Remove(test);
            if (looksAtAll)
                _sinceLook.Remove(test);
        }
        return LeakRegister.ClientsOf(test);
    }

    /// <summary>What is left at the end of the run. What is about to go gets two seconds.</summary>
    internal async Task<IReadOnlyList<Leak>> FinishAsync()
    {
        var start = Stopwatch.GetTimestamp();
        while (true)
        {
            IReadOnlyList<Leak> left;
            lock (_gate)
                left = [.. LookLocked(), .. _filesLeft, .. LeakRegister.Leaks];
            if (left.All(leak => leak.Kind is LeakKind.Environment or LeakKind.File) || Stopwatch.GetElapsedTime(start) > Settling)
                return left;
            await Task.Delay(LookPause, RealTime).ConfigureAwait(false);
        }
    }

    /// <summary>Looks at everything; what is new belongs to the tests that ran since the last time.</summary>
    public void Look()
    {
        lock (_gate)
            LookLocked();
    }

    /// <summary>The files that are there now are those that are left: the folder is about to go.</summary>
    internal void EndFiles()
    {
        if (_temp is null)
            return;
        lock (_gate)
        {
            _filesLeft = [.. LookLocked().Where(leak => leak.Kind == LeakKind.File)];
            _hasEndedFiles = true;
            _temp.End();

            // That was no change by a test.
            var now = EnvironmentNow();
            foreach (var key in OwnTempFolder.Variables.Select(KeyOf))
            {
                Copy(now, _environmentAtFirst, key);
                Copy(now, _environment, key);
            }
        }
    }

    private List<Leak> LookLocked()
    {
        var findings = LookAtEnvironmentLocked();
        findings.UnionWith(Present().Where(finding => !_atFirst.Contains(finding)));
        Own(findings, _sinceLook);
        _sinceLook.Clear();
        _sinceLook.UnionWith(_running);
        return [.. findings.Select(finding => new Leak(finding.Kind, finding.What, _owners[finding]))];
    }

    /// <returns>All that differs from what it was at first; what has changed since the last look belongs to the tests that run.</returns>
    private HashSet<Finding> LookAtEnvironmentLocked()
    {
        Debug.Assert(_gate.IsHeldByCurrentThread, "one look at a time");
        var now = EnvironmentNow();
        var findings = Changed(_environmentAtFirst, now).ToHashSet();
        foreach (var changed in Changed(_environment, now))
            _owners.Remove(changed);
        Own(findings, _running);
        _environment = now;
        return findings;
    }

    private void Own(IEnumerable<Finding> findings, HashSet<string> tests)
    {
        foreach (var finding in findings.Where(finding => !_owners.ContainsKey(finding)))
        {
            _owners[finding] = tests.Count switch
            {
                0 => null,
                <= MaxOwners => string.Join(" or ", tests.Order(StringComparer.Ordinal)),
                _ => $"{string.Join(" or ", tests.Order(StringComparer.Ordinal).Take(MaxOwners))} or one of {tests.Count - MaxOwners} more",
            };
        }
    }

    private IEnumerable<Finding> Present()
    {
        foreach (var file in _temp is not null && !_hasEndedFiles ? _temp.Entries() : [])
            yield return new Finding(LeakKind.File, $"{file} in the temporary folder");
        if (!ProcessView.IsAvailable)
            yield break;
        foreach (var (id, name) in ProcessView.Threads())
            yield return new Finding(LeakKind.Thread, $"{name} ({id})");
        foreach (var (id, name) in ProcessView.Children())
            yield return new Finding(LeakKind.Process, $"{name} ({id})");
        foreach (var port in ProcessView.ListeningPorts())
            yield return new Finding(LeakKind.Port, $"listening on port {port}");
    }

    private static string KeyOf(string variable) => $"environment variable {variable}";

    private static void Copy(Dictionary<string, string> from, Dictionary<string, string> to, string key)
    {
        if (from.TryGetValue(key, out var value))
            to[key] = value;
        else
            to.Remove(key);
    }

    private static Dictionary<string, string> EnvironmentNow()
    {
        var now = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => KeyOf((string)entry.Key), entry => (string?)entry.Value ?? "");
        now["current directory"] = Environment.CurrentDirectory;
        return now;
    }

    private static IEnumerable<Finding> Changed(Dictionary<string, string> before, Dictionary<string, string> now) =>
        before.Keys.Union(now.Keys)
            .Where(name => before.GetValueOrDefault(name) != now.GetValueOrDefault(name))
            .Select(name => new Finding(LeakKind.Environment, $"{name} was changed"));

    private readonly record struct Finding(LeakKind Kind, string What);
}
