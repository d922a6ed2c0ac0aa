using System.Diagnostics.CodeAnalysis;
using EvenKeel.Testing.Workers;

namespace EvenKeel.Testing.Isolation;

/// <summary>
/// SQLite files of workers, each a copy of a template that is prepared once in a run. No driver is needed here: a database is a file.
/// </summary>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore's wait handle is never made: nothing to dispose of.")]
internal sealed class SqliteFiles(TempFolders folders)
{
    private readonly SemaphoreSlim _preparing = new(1);

    // Guarded by _preparing.
    private readonly Dictionary<string, string> _templates = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Name, int Worker, int Version), string> _files = [];

    public async Task<string> FileAsync(
        TestWorker worker, string name, Func<string, Task> prepare, CancellationToken cancellationToken)
    {
        await _preparing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var key = (name, worker.Number, worker.Version);
            if (_files.TryGetValue(key, out var known))
                return known;
            if (!_templates.TryGetValue(name, out var template))
            {
                template = Path.Combine(folders.Create($"{name}-template"), $"{name}.db");
                await prepare(template).ConfigureAwait(false);
                ThrowIfUnfinished(name, template);
                _templates[name] = template;
            }
            var file = Path.Combine(folders.Create($"{name}-w{worker.Number}-f{worker.Version}"), $"{name}.db");
            File.Copy(template, file);
            return _files[key] = file;
        }
        finally
        {
            _preparing.Release();
        }
    }

    private static void ThrowIfUnfinished(string name, string template)
    {
        if (!File.Exists(template))
            throw new InvalidOperationException($"The preparation of the SQLite file '{name}' made no file at {template}.");
        if (File.Exists(template + "-wal") && new FileInfo(template + "-wal").Length > 0)
            throw new InvalidOperationException(
                $"The preparation of the SQLite file '{name}' left a connection open ({template}-wal is not empty): close it, and clear "
                + "the driver's pool, before it ends.");
    }
}
