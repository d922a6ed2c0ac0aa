using Microsoft.AspNetCore.Connections;

namespace MetricStream.Admission;

/// <summary>The open connections of all endpoints, at most <paramref name="most"/>: one more is closed before a byte of it is read, and
/// counted. Beyond the bound a flood would take the descriptors that the queue needs.</summary>
internal sealed class ConnectionCount(int most)
{
    // Interlocked.
    private long _open;
    private long _refused;

    public int Most => most;

    public long Open => Interlocked.Read(ref _open);

    public long Refused => Interlocked.Read(ref _refused);

    public async Task TakeAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _open) <= most)
            {
                await next(connection);
                return;
            }
            Interlocked.Increment(ref _refused);
            connection.Abort(new ConnectionAbortedException("There are as many connections as --max-connections allows."));
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }
}
