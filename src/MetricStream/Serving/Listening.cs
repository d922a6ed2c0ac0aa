using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text;
using MetricStream.Admission;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace MetricStream.Serving;

/// <summary>Where the server listens and what a connection may do: <c>--host</c> and <c>--port</c>, and beside them what Kestrel's own
/// section of the configuration says (endpoints with TLS, certificates, limits).</summary>
internal static class Listening
{
    public const string Section = "Kestrel";

    // Descriptors that connections must leave: for segments of the queue, the store, Kafka. Without one the queue could not go on.
    private const int KeptDescriptors = 256;
    private const string DescriptorLine = "Max open files";

    // A client that has not finished its headers by then is cut. Kestrel's own 30 s would let slow ones hold twice as many connections.
    private static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(15);

    // A body slower than 240 B/s, 5 s after it began, is answered 408: Kestrel's own figures.
    private static readonly MinDataRate BodyRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    public static ConnectionCount Count(ServeSettings settings) => new(Connections(settings.MaxConnections, Descriptors()));

    public static void Configure(KestrelServerOptions kestrel, ServeSettings settings, ConnectionCount connections)
    {
        kestrel.AddServerHeader = false;
        // Kestrel answers header bytes that are no UTF-8 with a bare 400; as Latin-1 they reach intake, which says what is wrong.
        kestrel.RequestHeaderEncodingSelector = static _ => Encoding.Latin1;
        kestrel.Limits.MaxRequestBodySize = null; // Intake has its own limit, before and after decompression.
        kestrel.Limits.RequestHeadersTimeout = HeadersTimeout;
        kestrel.Limits.MinRequestBodyDataRate = BodyRate;
        kestrel.ConfigureEndpointDefaults(listen =>
        {
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => connection => connections.TakeAsync(connection, next));
        });
        kestrel.Listen(settings.Host, settings.Port);
        if (settings.Kestrel is not { } section)
            return;
        section.GetSection("Limits").Bind(kestrel.Limits);
        // What it says of endpoints was checked and stays as it is; a certificate's file is read again when it is renewed.
        kestrel.Configure(section, reloadOnChange: true);
    }

    /// <summary>The most connections: what was asked for, as far as the process's descriptors go.</summary>
    public static int Connections(int wanted, long descriptors) =>
        (int)Math.Min(wanted, Math.Max(descriptors - KeptDescriptors, descriptors / 2));

    /// <summary>The most files and sockets that the process may have open.</summary>
    public static long Descriptors()
    {
        const string Limits = "/proc/self/limits";
        if (!File.Exists(Limits))
            return int.MaxValue; // Not on Linux: nobody says.
        var line = File.ReadLines(Limits).FirstOrDefault(line => line.StartsWith(DescriptorLine, StringComparison.Ordinal)) ?? "";
        // The soft limit; the runtime has raised it to the hard one.
        var soft = line[Math.Min(line.Length, DescriptorLine.Length)..].Split(' ', StringSplitOptions.RemoveEmptyEntries).FirstOrDefault();
        return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) ? limit : int.MaxValue;
    }

    /// <summary>What is wrong with the limits of Kestrel's section; null when they can be set.</summary>
    public static string? LimitsFlaw(IConfiguration section)
    {
        try
        {
            section.GetSection("Limits").Bind(new KestrelServerLimits());
            return null;
        }
        catch (Exception wrong) when (wrong is InvalidOperationException or ArgumentException or TargetInvocationException)
        {
            return wrong.InnerException?.Message is { } inner ? $"{wrong.Message} {inner}" : wrong.Message;
        }
    }

    /// <summary>The endpoints of Kestrel's section that others than this machine reach.</summary>
    public static IEnumerable<string> OpenEndpoints(IConfiguration section) =>
        section.GetSection("Endpoints").GetChildren().Select(endpoint => endpoint["Url"]).Where(url => url is not null && !IsLocal(url))!;

    /// <summary>Where it listens, what the options say first.</summary>
    public static IReadOnlyList<string> Addresses(WebApplication app, ServeSettings settings)
    {
        var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        var ours = new IPEndPoint(settings.Host, settings.Port);
        return [.. addresses.OrderByDescending(address => address.StartsWith("http:", StringComparison.Ordinal)
            && BindingAddress.Parse(address) is var bound && (settings.Port == 0 || bound.Port == ours.Port))];
    }

    private static bool IsLocal(string url)
    {
        try
        {
            var address = BindingAddress.Parse(url);
            return address.IsUnixPipe || address.IsNamedPipe || address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
                || (IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
        }
        catch (FormatException)
        {
            return true; // Kestrel says what is wrong with it, and does not listen.
        }
    }
}
