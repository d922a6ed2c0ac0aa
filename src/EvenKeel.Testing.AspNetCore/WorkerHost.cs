using System.Diagnostics.CodeAnalysis;
using EvenKeel.Testing.Workers;
using Microsoft.AspNetCore.Mvc.Testing;

namespace EvenKeel.Testing.AspNetCore;

/// <summary>
/// A worker host is the service under test on one worker: the same for all tests of a class, until one of them fails; then another, on
/// what the worker has from then on. Make it a fixture of the class.
/// </summary>
/// <typeparam name="TEntryPoint">A type of the service's assembly.</typeparam>
[SuppressMessage("Reliability", "CA1001", Justification = "The semaphore's wait handle is never made: nothing to dispose of.")]
public sealed class WorkerHost<TEntryPoint> : IAsyncDisposable
    where TEntryPoint : class
{
    private readonly TestWorker _worker;
    private readonly Action<WorkerSettings> _settings;
    private readonly SemaphoreSlim _making = new(1);

    // Guarded by _making.
    private WebApplicationFactory<TEntryPoint>? _plain;
    private WebApplicationFactory<TEntryPoint>? _onWorker;
    private int _version;

    /// <summary>Starts nothing yet.</summary>
    /// <param name="worker">Whose topics, group and database.</param>
    /// <param name="settings">Under which keys the service reads them.</param>
    public WorkerHost(TestWorker worker, Action<WorkerSettings> settings)
    {
        ArgumentNullException.ThrowIfNull(worker);
        ArgumentNullException.ThrowIfNull(settings);
        _worker = worker;
        _settings = settings;
    }

    /// <summary>The service; ask in every test. It starts with the first client or server that is asked of it.</summary>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<WebApplicationFactory<TEntryPoint>> CurrentAsync(CancellationToken cancellationToken = default)
    {
        await _making.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_onWorker is not null && _version == _worker.Version)
                return _onWorker;
            await StopAsync().ConfigureAwait(false);
            _version = _worker.Version;
            _plain = new WebApplicationFactory<TEntryPoint>();
            return _onWorker = await _plain.OnWorkerAsync(_worker, _settings).ConfigureAwait(false);
        }
        finally
        {
            _making.Release();
        }
    }

    /// <summary>Stops the service. What it throws is told as a diagnostic of the run and fails no test.</summary>
    public async ValueTask DisposeAsync()
    {
        await _making.WaitAsync().ConfigureAwait(false);
        try
        {
            await StopAsync().ConfigureAwait(false);
        }
        finally
        {
            _making.Release();
        }
    }

    private async Task StopAsync()
    {
        try
        {
            if (_onWorker is not null && _version == _worker.Version)
                await _onWorker.DisposeAsync().ConfigureAwait(false);
            if (_plain is not null)
                await _plain.DisposeAsync().ConfigureAwait(false);
        }
#pragma warning disable CA1031 // An error in clean-up is told and fails nothing: the tests' results are what they are.
        catch (Exception failed)
        {
            _worker.Run.Options.Diagnostics?.Invoke($"Stopping the service under test on worker {_worker.Number}: {failed.Message}");
        }
#pragma warning restore CA1031
        _onWorker = _plain = null;
    }
}
