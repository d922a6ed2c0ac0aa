using System.Reflection;
using System.Runtime.InteropServices;

namespace EvenKeel.Kafka.Native;

/// <summary>
/// Finds librdkafka: beside the application, in its <c>runtimes/RID/native</c>, where the host's dependency file says, then on the system.
/// A library that is too old is passed over: the calls it lacks would fail one by one, long after the start.
/// </summary>
internal static unsafe class LibraryResolver
{
    /// <summary>2.15.1, as librdkafka counts: one byte each, and 0xff for a release.</summary>
    public const int OldestVersion = 0x020f01ff;

    /// <summary>One attempt: a path or a name, and how it is loaded (0: not there).</summary>
    public readonly record struct Candidate(string Name, Func<nint> Load);

    public static void Register() => NativeLibrary.SetDllImportResolver(
        typeof(LibraryResolver).Assembly,
        static (name, assembly, searchPath) => name == Librdkafka.Library ? Load(Candidates(assembly, searchPath)) : 0);

    /// <exception cref="DllNotFoundException">None loads and is new enough; names everything tried and why not.</exception>
    public static nint Load(IEnumerable<Candidate> candidates)
    {
        var tried = new List<string>();
        foreach (var candidate in candidates)
        {
            var library = candidate.Load();
            if (library == 0)
            {
                tried.Add($"{candidate.Name}: not there, or it does not load");
                continue;
            }
            if (!NativeLibrary.TryGetExport(library, "rd_kafka_version", out var version))
                tried.Add($"{candidate.Name}: has no rd_kafka_version, so it is not librdkafka");
            else if (((delegate* unmanaged[Cdecl]<int>)version)() is var found && found < OldestVersion)
                tried.Add($"{candidate.Name}: is version {Text(found)}");
            else
                return library;
            NativeLibrary.Free(library);
        }
        throw new DllNotFoundException(
            $"librdkafka {Text(OldestVersion)} or newer was not found for {RuntimeInformation.RuntimeIdentifier}. Tried:\n  "
            + string.Join("\n  ", tried)
            + "\nReference the package librdkafka.redist (it comes with EvenKeel.Kafka), or put the library beside the application.");
    }

    public static Candidate FromFile(string path) =>
        new(path, () => File.Exists(path) && NativeLibrary.TryLoad(path, out var library) ? library : 0);

    private static IEnumerable<Candidate> Candidates(Assembly assembly, DllImportSearchPath? searchPath)
    {
        var folder = AppContext.BaseDirectory;
        foreach (var file in FileNames())
        {
            yield return FromFile(Path.Combine(folder, file));
            foreach (var rid in RuntimeIdentifiers())
                yield return FromFile(Path.Combine(folder, "runtimes", rid, "native", file));
        }

        // With assembly and search path the host also looks where the application's .deps.json points, the package folder included.
        foreach (var name in new[] { "librdkafka", "librdkafka.so.1" })
        {
            yield return new Candidate(
                $"'{name}' as the host and the system find it",
                () => NativeLibrary.TryLoad(name, assembly, searchPath, out var library) ? library : 0);
        }
    }

    private static IEnumerable<string> FileNames()
    {
        if (OperatingSystem.IsWindows())
            return ["librdkafka.dll"];
        if (OperatingSystem.IsMacOS())
            return ["librdkafka.dylib"];

        // The package keeps its musl build beside the glibc one, under a name of its own.
        return RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal)
            ? ["alpine-librdkafka.so", "librdkafka.so"]
            : ["librdkafka.so"];
    }

    /// <summary>The runtime's own, which may name a distribution, and the portable one that packages use.</summary>
    private static IEnumerable<string> RuntimeIdentifiers()
    {
        var system = OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux";
#pragma warning disable CA1308 // Runtime identifiers are lower case.
        var portable = $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
#pragma warning restore CA1308
        return new[] { RuntimeInformation.RuntimeIdentifier, portable }.Distinct();
    }

    private static string Text(int version) => $"{version >> 24 & 0xff}.{version >> 16 & 0xff}.{version >> 8 & 0xff}";
}
