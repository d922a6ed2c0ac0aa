using System.Reflection;
using System.Runtime.InteropServices;
using EvenKeel.Kafka.Native;
using Xunit;

namespace EvenKeel.Kafka.Tests.Native;

public sealed class LibraryResolverTests
{
    [Fact]
    public void The_library_in_use_is_new_enough() => Assert.True(Librdkafka.Version() >= LibraryResolver.OldestVersion);

    [Fact]
    public void Every_bound_function_is_in_the_library()
    {
        var library = NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, FileName));
        var names = typeof(Librdkafka).GetMethods(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic)
            .Select(method => method.GetCustomAttribute<DllImportAttribute>()?.EntryPoint)
            .OfType<string>()
            .ToList();

        Assert.True(names.Count > 100, $"Only {names.Count} declarations were found.");
        Assert.Equal([], names.Where(name => !NativeLibrary.TryGetExport(library, name, out _)));
    }

    [Fact]
    public void A_missing_library_is_one_error_that_names_everything_tried()
    {
        var error = Assert.Throws<DllNotFoundException>(() => LibraryResolver.Load(
            [LibraryResolver.FromFile("/nowhere/librdkafka.so"), new LibraryResolver.Candidate("'librdkafka' of the system", () => 0)]));

        Assert.Contains("librdkafka 2.15.1 or newer", error.Message, StringComparison.Ordinal);
        Assert.Contains("/nowhere/librdkafka.so: not there", error.Message, StringComparison.Ordinal);
        Assert.Contains("'librdkafka' of the system: not there", error.Message, StringComparison.Ordinal);
        Assert.Contains("librdkafka.redist", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_that_is_no_library_is_passed_over()
    {
        var file = Path.GetTempFileName();
        File.WriteAllText(file, "not a library");
        try
        {
            var error = Assert.Throws<DllNotFoundException>(() => LibraryResolver.Load([LibraryResolver.FromFile(file)]));
            Assert.Contains(file, error.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void Another_library_is_told_from_librdkafka()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The other library is Linux's libc.");
        var error = Assert.Throws<DllNotFoundException>(() => LibraryResolver.Load(
            [new LibraryResolver.Candidate("libc", () => NativeLibrary.Load("libc.so.6"))]));

        Assert.Contains("libc: has no rd_kafka_version", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_library_is_passed_over_with_its_version()
    {
        // By its path: asked for by its name, the loader hands out the one that is in the process already, whose name is the same.
        var old = new[] { "/usr/lib/x86_64-linux-gnu/librdkafka.so.1", "/usr/lib/aarch64-linux-gnu/librdkafka.so.1" }
            .FirstOrDefault(File.Exists);
        Assert.SkipWhen(old is null, "The system has no old librdkafka (Debian's package librdkafka1, which kcat brings).");
        var ours = LibraryResolver.FromFile(Path.Combine(AppContext.BaseDirectory, FileName));

        var error = Assert.Throws<DllNotFoundException>(() => LibraryResolver.Load([LibraryResolver.FromFile(old!)]));
        Assert.Matches(@"librdkafka\.so\.1: is version [012]\.\d+\.\d+", error.Message);
        Assert.NotEqual(0, LibraryResolver.Load([LibraryResolver.FromFile(old!), ours]));
    }

    private static string FileName =>
        OperatingSystem.IsWindows() ? "librdkafka.dll" : OperatingSystem.IsMacOS() ? "librdkafka.dylib" : "librdkafka.so";
}
