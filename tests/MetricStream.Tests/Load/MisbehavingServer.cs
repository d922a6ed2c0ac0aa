using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace MetricStream.Tests.Load;

/// <summary>
/// A real Kestrel on a free loopback port that stores batches in memory as the contract says, and misbehaves on command: the load tool must
/// name each misbehaviour. <see cref="OnPost"/> may answer a post itself; the list and the counters can be bent afterwards.
/// </summary>
internal sealed class MisbehavingServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, bool> _connections = new();
    private int _posts;

    private MisbehavingServer(WebApplication app) => _app = app;

    public required Uri Url { get; init; }

    /// <summary>Called with the number of the post (from 1); true: it has answered, and nothing is stored.</summary>
    public Func<int, HttpContext, Task<bool>> OnPost { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>Bends the whole list of a client before it is paged.</summary>
    public Func<List<(string Id, string Metrics)>, List<(string Id, string Metrics)>> BendList { get; set; } = list => list;

    /// <summary>What the server says is queued, call by call; the last stays.</summary>
    public ConcurrentQueue<long> Queued { get; } = new();

    public long AcknowledgedTooMany { get; set; }

    /// <summary>What the server says that it acknowledged and others store; null: it says nothing of a group.</summary>
    public long? HandedOver { get; set; }

    public bool HasStore { get; set; } = true;

    public int Posts => Volatile.Read(ref _posts);

    public int Connections => _connections.Count;

    public ConcurrentDictionary<string, List<(string Id, string Metrics)>> Stored { get; } = new();

    public static async Task<MisbehavingServer> StartAsync(Action<Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions>? listen = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        Microsoft.AspNetCore.Hosting.WebHostBuilderKestrelExtensions.ConfigureKestrel(
            builder.WebHost, kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen ?? (_ => { })));
        var app = builder.Build();
        MisbehavingServer? server = null;
        app.MapPost("/metrics", context => server!.PostAsync(context));
        app.MapGet("/api/stats", context => server!.StatsAsync(context));
        app.MapGet("/api/clients/{client}/batches", (string client, HttpContext context) => server!.BatchesAsync(client, context));
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return server = new(app) { Url = new Uri(address) };
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task PostAsync(HttpContext context)
    {
        _connections.TryAdd(context.Connection.Id, true);
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        if (await OnPost(Interlocked.Increment(ref _posts), context)) return;
        Store(context, body.ToArray());
        context.Response.ContentType = "application/json";
        var answer = Encoding.UTF8.GetBytes("""{"batch_id":"x","accepted":3,"ack":"durable"}""");
        context.Response.ContentLength = answer.Length;
        await context.Response.Body.WriteAsync(answer);
    }

    public void Store(HttpContext context, byte[] body)
    {
        using var document = JsonDocument.Parse(body);
        var list = Stored.GetOrAdd(context.Request.Headers["X-Client-Id"].ToString(), _ => []);
        var metrics = document.RootElement.GetProperty("metrics").GetRawText();
        lock (list) list.Add((context.Request.Headers["Idempotency-Key"].ToString(), metrics));
    }

    private Task StatsAsync(HttpContext context)
    {
        if (!Queued.TryPeek(out var queued)) queued = 0;
        if (Queued.Count > 1) Queued.TryDequeue(out _);
        var stored = Stored.Values.Sum(list => list.Count);
        return context.Response.WriteAsync(string.Create(
            CultureInfo.InvariantCulture,
            $$"""
            {"acknowledged":{{stored + queued + AcknowledgedTooMany}},"stored":{{stored}},"queued":{{queued}},"spilled":0,
             "duplicates":0,"quarantined":0,"dead_lettered":0,"rejected":0,
             "queue":{{(HandedOver is { } over ? $$"""{"handed_in":0,"handed_over":{{over}}}""" : "null")}}}
            """));
    }

    private Task BatchesAsync(string client, HttpContext context)
    {
        if (!HasStore)
        {
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        }
        var list = BendList([.. Stored.GetValueOrDefault(client) ?? []]);
        var after = context.Request.Query["after"].ToString();
        var limit = int.Parse(context.Request.Query["limit"].ToString(), CultureInfo.InvariantCulture);
        var page = list.Skip(list.FindLastIndex(batch => batch.Id == after) + 1).Take(limit);
        var items = page.Select(batch => $$"""{"batch_id":"{{batch.Id}}","metrics":{{batch.Metrics}}}""");
        return context.Response.WriteAsync("[" + string.Join(",", items) + "]");
    }

    /// <summary>Breaks the connection under the request, as a dying server does.</summary>
    public static Task<bool> ResetAsync(HttpContext context)
    {
        context.Features.Get<IHttpRequestLifetimeFeature>()!.Abort();
        return Task.FromResult(true);
    }
}
