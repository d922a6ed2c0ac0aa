using KafkaChaos;
using Xunit.MicrosoftTestingPlatform;

// One of the words of the long runs; anything else is for the test platform.
if (args.Length > 0 && ChaosCommands.Names.Contains(args[0]))
    return await ChaosCommands.RunAsync(args);
return args.Any(arg => arg is "-automated" or "@@")
    ? await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args)
    : await TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions);
